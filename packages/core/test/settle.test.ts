import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import type { ClaimedJob } from '../src/job/job.ts'
import type { Claim } from '../src/sql/held-claims.ts'
import type { Session } from '../src/store/database.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { openSession, registerWorker, storesOf } from './support/session.ts'
import { latch, until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()
const { jobs, workers } = storesOf(schema)

const error = { name: 'Error', message: 'settled by nobody' }
const settles: Record<string, (session: Session, claims: readonly Claim[]) => Promise<Set<string>>> = {
  completed: (session, claims) =>
    jobs.settleCompleted(
      session,
      claims.map((claim) => ({ ...claim, result: { json: '1' } })),
    ),
  dead: (session, claims) =>
    jobs.settleEnded(
      session,
      claims.map((claim) => ({ ...claim, status: 'dead', error })),
    ),
  cancelled: (session, claims) =>
    jobs.settleEnded(
      session,
      claims.map((claim) => ({ ...claim, status: 'cancelled', error })),
    ),
  failed: (session, claims) =>
    jobs.settleWaiting(
      session,
      claims.map((claim) => ({ ...claim, status: 'failed', delayMs: 0, error })),
    ),
  snoozed: (session, claims) =>
    jobs.settleWaiting(
      session,
      claims.map((claim) => ({ ...claim, status: 'pending', delayMs: 5 })),
    ),
  released: (session, claims) =>
    jobs.settleWaiting(
      session,
      claims.map((claim) => ({ ...claim, status: 'pending' })),
    ),
  progress: async (session, claims) => {
    const stood = claims.map(
      async (claim) => [claim.id, await jobs.storeProgress(session, claim, '1')] as const,
    )
    return new Set((await Promise.all(stood)).flatMap(([id, ok]) => (ok ? [id] : [])))
  },
}

/** What may happen to a claim before its holder settles it. Each returns the claim that the holder believes in. */
const disturbances: Record<string, (claim: Claim, session: Session) => Promise<Claim>> = {
  'with an older fence': async (claim) => ({ ...claim, fence: claim.fence - 1 }),
  'with a fence to come': async (claim) => ({ ...claim, fence: claim.fence + 1 }),
  'by another worker': async (claim) => ({ ...claim, workerId: randomUUID() }),
  'after a rescue': async (claim, session) => {
    await sql(`UPDATE ${schema}.workers SET lost_at = clock_timestamp() WHERE id = $1`, [claim.workerId])
    expect((await workers.rescue(session, 1_000)).map(({ id }) => id)).toContain(claim.id)
    return claim
  },
  'after a rescue and a new claim': async (claim, session) => {
    await sql(`UPDATE ${schema}.workers SET lost_at = clock_timestamp() WHERE id = $1`, [claim.workerId])
    await workers.rescue(session, 1_000)
    const workerId = await registerWorker(session, workers)
    const wanted = [{ queue: 'stale', limit: 1, floor: undefined }]
    expect((await jobs.claim(session, { workerId, wanted })).map(({ id }) => id)).toEqual([claim.id])
    return claim
  },
  'after UPDATE … SET status = pending': async (claim) => byHand(claim, `status = 'pending'`),
  'after UPDATE … SET status = completed': async (claim) => byHand(claim, `status = 'completed'`),
  'after pgq.cancel': async (claim) => {
    expect(await pgq.cancel(claim.id)).toBe(1)
    return claim
  },
  'after pgq.cancel and pgq.retry': async (claim) => {
    expect(await pgq.cancel(claim.id)).toBe(1)
    expect(await pgq.retry(claim.id)).toBe(1)
    return claim
  },
  'after a DELETE': async (claim) => {
    await sql(`DELETE FROM ${schema}.jobs WHERE id = $1`, [claim.id])
    return claim
  },
}

async function byHand(claim: Claim, change: string): Promise<Claim> {
  await sql(`UPDATE ${schema}.jobs SET ${change} WHERE id = $1`, [claim.id])
  return claim
}

async function claimOne(session: Session, queue: string): Promise<ClaimedJob & Claim> {
  const workerId = await registerWorker(session, workers)
  await pgq.enqueue(defineQueue(queue), null)
  const wanted = [{ queue, limit: 1, floor: undefined }]
  const [job] = await jobs.claim(session, { workerId, wanted })
  if (!job) throw new Error('there was no job to claim')
  return { ...job, workerId }
}

const allRows = (): Promise<unknown[]> => sql(`SELECT job.* FROM ${schema}.jobs AS job ORDER BY id`)

test.for(Object.keys(disturbances))('a settle %s is refused and changes nothing', async (how) => {
  const session = await openSession(databaseUrl)
  for (const [name, settle] of Object.entries(settles)) {
    const claim = await claimOne(session, 'stale')
    const believed = await disturbances[how]?.(claim, session)
    const before = await allRows()
    expect(await settle(session, believed ? [believed] : []), name).toEqual(new Set())
    expect(await allRows(), name).toEqual(before)
    await sql(`DELETE FROM ${schema}.jobs WHERE queue_name = 'stale'`)
  }
})

test('a settle is accepted once: repeating it, or settling the claim in another way, changes nothing', async () => {
  const session = await openSession(databaseUrl)
  for (const [name, settle] of Object.entries(settles)) {
    if (name === 'progress') continue
    const claim = await claimOne(session, 'once')
    expect(await settle(session, [claim]), name).toEqual(new Set([claim.id]))
    const before = await allRows()
    for (const [other, again] of Object.entries(settles)) {
      expect(await again(session, [claim]), `${name}, then ${other}`).toEqual(new Set())
    }
    expect(await allRows(), name).toEqual(before)
    expect([...(await jobs.findSettled(session, [claim])).keys()], name).toEqual([claim.id])
    await sql(`DELETE FROM ${schema}.jobs WHERE queue_name = 'once'`)
  }
})

test('what a later claim of the same fence wrote is not taken for the outcome of one that a crash has undone', async () => {
  const [doomed, session] = [await openSession(databaseUrl), await openSession(databaseUrl)]
  for (const [name, settle] of Object.entries(settles)) {
    if (name === 'progress') continue
    // A claim does not wait for the disk: a crash of the server rolls it back, as this does, and the worker knows nothing.
    await pgq.enqueue(defineQueue('undone'), null)
    await doomed.client.query('BEGIN')
    const wanted = [{ queue: 'undone', limit: 1, floor: undefined }]
    const [undone] = await jobs.claim(doomed, { workerId: await registerWorker(session, workers), wanted })
    await doomed.client.query('ROLLBACK')
    const workerId = await registerWorker(session, workers)
    const [job] = await jobs.claim(session, { workerId, wanted })
    expect({ id: undone?.id, fence: undone?.fence }).toEqual({ id: job?.id, fence: job?.fence })
    if (!job || !undone) return
    expect(await settle(session, [{ ...job, workerId }]), name).toEqual(new Set([job.id]))
    expect(await jobs.findSettled(session, [undone]), name).toEqual(new Map())
    expect([...(await jobs.findSettled(session, [job])).keys()], name).toEqual([job.id])
    await sql(`DELETE FROM ${schema}.jobs WHERE queue_name = 'undone'`)
  }
})

test('batches that overlap in opposite orders wait for each other and do not deadlock', async () => {
  const sessions = await Promise.all([1, 2, 3, 4].map(() => openSession(databaseUrl)))
  const [first] = sessions
  if (!first) return
  const workerId = await registerWorker(first, workers)
  for (let round = 0; round < 12; round++) {
    await pgq.enqueueMany(defineQueue('overlapping'), Array(200).fill(null))
    const wanted = [{ queue: 'overlapping', limit: 200, floor: undefined }]
    const claims = (await jobs.claim(first, { workerId, wanted })).map(({ id, fence }) => ({
      id,
      fence,
      workerId,
    }))
    // Whoever waits for a row finds it gone then: every claim is settled by one of them.
    const accepted = await Promise.all(
      sessions.map(async (session, i) => {
        const order = i % 2 === 0 ? claims : claims.toReversed()
        return (i < 2 ? settles['released'] : settles['completed'])?.(session, order)
      }),
    )
    expect(accepted.flatMap((ids) => [...(ids ?? [])]).toSorted()).toEqual(
      claims.map(({ id }) => id).toSorted(),
    )
    await sql(`DELETE FROM ${schema}.jobs WHERE queue_name = 'overlapping'`)
  }
})

test('while somebody has one job of a batch in hand the others are settled, and when he moves it away that one is lost', async () => {
  const queue = defineQueue('moved')
  const goOn = latch()
  const completed = collect(pgq, 'job.completed')
  const lost = collect(pgq, 'job.lost')
  const errors = collect(pgq, 'error')
  let running = 0
  const handler = handle(queue, () => {
    running++
    return goOn.opened
  })
  const ids = (await pgq.enqueueMany(queue, [1, 2, 3, 4])).map(({ id }) => id)
  await work(pgq, [handler], { maintenance: false, listen: false, lease: '60s' })
  await until('all are running', () => running === 4)

  const { client } = await openSession(databaseUrl)
  await client.query('BEGIN')
  await client.query(`UPDATE ${schema}.jobs SET status = 'cancelled' WHERE id = $1`, [ids[1]])
  goOn.open()
  // Nobody waits for the person: the others are settled, and this one is tried again.
  await until('the others are completed', () => completed.length === 3)
  expect(lost).toEqual([])
  await client.query('COMMIT')

  await until('all have ended', () => completed.length + lost.length === 4)
  expect(lost.map(({ job }) => job.id)).toEqual([ids[1]])
  expect((await pgq.list({ queue, status: 'completed' })).jobs).toHaveLength(3)
  expect(await pgq.get(ids[1] ?? '')).toMatchObject({ status: 'cancelled', fence: 2, result: null })
  expect(errors.map((event) => event.where)).not.toContain(`settling job ${ids[1]}`)
})

test('what a handler returns after its job was changed by hand is dropped, and job.lost says so', async () => {
  const queue = defineQueue('changed')
  const started = latch()
  const goOn = latch()
  const lost = collect(pgq, 'job.lost')
  const completed = collect(pgq, 'job.completed')
  await work(pgq, [handle(queue, () => (started.open(), goOn.opened))], { maintenance: false, lease: '60s' })
  const { id } = await pgq.enqueue(queue, null)
  await started.opened
  await sql(`UPDATE ${schema}.jobs SET status = 'pending', scheduled_for = 'infinity' WHERE id = $1`, [id])
  goOn.open()
  await until('it is told', () => lost.length === 1)
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', fence: 2, result: null })
  expect(completed).toEqual([])
})

test('an outcome that the database refuses for a while is written when it does not any more', async () => {
  const queue = defineQueue('refusing')
  const errors = collect(pgq, 'error')
  let runs = 0
  await sql(`
    CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not now'; END $$;
    CREATE TRIGGER refuse BEFORE DELETE ON ${schema}.jobs_processing FOR EACH ROW
    WHEN (OLD.queue_name = 'refusing') EXECUTE FUNCTION ${schema}.refuse()`)
  await work(pgq, [handle(queue, () => void runs++)], { maintenance: false })
  const { id } = await pgq.enqueue(queue, null)
  await until('it was refused', () => errors.length >= 1)
  await sql(`DROP TRIGGER refuse ON ${schema}.jobs_processing`)
  await until('it is completed', async () => (await pgq.get(id))?.status === 'completed', 10_000)
  expect(runs).toBe(1)
})

test('a job that was locked first and is refused then is settled in the end, once', async () => {
  const queue = defineQueue('locked and refused')
  const started = latch()
  const goOn = latch()
  const errors = collect(pgq, 'error')
  const completed = collect(pgq, 'job.completed')
  await sql(`
    CREATE FUNCTION ${schema}.refuse_locked() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not now'; END $$;
    CREATE TRIGGER refuse_locked BEFORE DELETE ON ${schema}.jobs_processing FOR EACH ROW
    WHEN (OLD.queue_name = 'locked and refused') EXECUTE FUNCTION ${schema}.refuse_locked()`)
  await work(pgq, [handle(queue, () => (started.open(), goOn.opened))], { maintenance: false })
  const { id } = await pgq.enqueue(queue, null)
  await started.opened
  const { client } = await openSession(databaseUrl)
  await client.query('BEGIN')
  await client.query(`SELECT FROM ${schema}.jobs WHERE id = $1 FOR UPDATE`, [id])
  goOn.open()
  // Passed over: it is looked at beside the batches, by the statement that finds lost claims.
  await until('it was passed over', async () => {
    const looked = await sql(
      `SELECT FROM pg_stat_activity WHERE query LIKE '%FROM unnest%WHERE NOT EXISTS%' || $1 || '%'`,
      [`"${schema}".jobs_processing`],
    )
    return looked.length > 0
  })
  expect(errors).toEqual([])
  await client.query('COMMIT')
  await until('it was refused', () => errors.length >= 1)
  await sql(`DROP TRIGGER refuse_locked ON ${schema}.jobs_processing`)
  await until('it is completed', () => completed.length === 1)
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 1 })
})
