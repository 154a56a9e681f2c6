import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import type { ClaimedJob } from '../src/job/job.ts'
import type { Session } from '../src/store/database.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { openSession, registerWorker, storesOf } from './support/session.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()
const { jobs, workers } = storesOf(schema)

const claim = (session: Session, workerId: string, queue: string, limit: number): Promise<ClaimedJob[]> =>
  jobs.claim(session, { workerId, wanted: [{ queue, limit, floor: undefined }] })

const minutesAgo = (n: number): Date => new Date(Date.now() - n * 60_000)

const completed = (workerId: string, claimed: readonly ClaimedJob[]) =>
  claimed.map(({ id, fence }) => ({ id, fence, workerId, result: { json: null } }))

/** Claims and settles until nothing is left. Returns the ids that it claimed. */
async function drain(session: Session): Promise<string[]> {
  const workerId = await registerWorker(session, workers)
  const ids: string[] = []
  for (;;) {
    const claimed = await claim(session, workerId, 'contended', 23)
    if (claimed.length === 0) return ids
    ids.push(...claimed.map(({ id }) => id))
    // A deadlock would be an error here. What another one's claim has in hand for a moment is passed over.
    let unsettled = claimed
    while (unsettled.length > 0) {
      const settled = await jobs.settleCompleted(session, completed(workerId, unsettled))
      unsettled = unsettled.filter(({ id }) => !settled.has(id))
    }
  }
}

test('eight connections drain one queue: each job is claimed once, and nobody waits for a lock', async () => {
  const queue = defineQueue('contended')
  const all = await pgq.enqueueMany(queue, Array(3_000).fill(null))
  const sessions = await Promise.all(Array.from({ length: 8 }, () => openSession(databaseUrl)))
  const pids = await Promise.all(
    sessions.map(async ({ client }) => (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid),
  )
  const drained = new AbortController()
  const waits: unknown[] = []
  const watch = async (): Promise<void> => {
    while (!drained.signal.aborted) {
      const waiting = await sql(
        `SELECT wait_event, left(query, 40) AS query FROM pg_stat_activity WHERE pid = ANY ($1) AND wait_event_type = 'Lock'`,
        [pids],
      )
      waits.push(...waiting)
      await sleep(2)
    }
  }
  const watching = watch()
  const byWorker = await Promise.all(sessions.map(drain))
  drained.abort()
  await watching
  const claimed = byWorker.flat()
  expect(claimed).toHaveLength(3_000)
  expect(new Set(claimed)).toEqual(new Set(all.map(({ id }) => id)))
  // Extending the table is a lock too, and lasts microseconds; waits for rows of each other are what must not be.
  expect(waits.filter((wait) => !JSON.stringify(wait).includes('extend'))).toEqual([])
})

const planSettings = {
  'as it likes': {},
  'no hash joins': { enable_hashjoin: 'off' },
  'no nested loops': { enable_nestloop: 'off', enable_mergejoin: 'off' },
  'no index scans': { enable_indexscan: 'off', enable_bitmapscan: 'off' },
  'sequential scans off': { enable_seqscan: 'off' },
  'no materialization': { enable_material: 'off', enable_memoize: 'off' },
  'generic plans': { plan_cache_mode: 'force_generic_plan' },
}

test.for(Object.entries(planSettings))(
  'a claim takes its limit and not one more when the planner goes: %s',
  async ([name, settings]) => {
    const session = await openSession(databaseUrl, settings)
    const workerId = await registerWorker(session, workers)
    const names = [`planned a ${name}`, `planned b ${name}`]
    for (const queue of names) await pgq.enqueueMany(defineQueue(queue), Array(40).fill(null))
    const wanted = names.map((queue, i) => ({ queue, limit: 3 + i, floor: undefined }))
    const claimed = await jobs.claim(session, { workerId, wanted })
    const inTable = await sql(
      `SELECT queue_name, count(*)::int AS n FROM ${schema}.jobs_processing WHERE locked_by = $1 GROUP BY 1 ORDER BY 1`,
      [workerId],
    )
    expect(claimed).toHaveLength(7)
    expect(inTable).toEqual([
      { queue_name: names[0], n: 3 },
      { queue_name: names[1], n: 4 },
    ])
  },
)

test('one statement claims from twenty queues, up to the limit of each', async () => {
  const session = await openSession(databaseUrl)
  const workerId = await registerWorker(session, workers)
  const names = Array.from({ length: 20 }, (_, i) => `twenty.${i}`)
  for (const [i, name] of names.entries()) await pgq.enqueueMany(defineQueue(name), Array(i).fill(null))
  const wanted = names.map((queue) => ({ queue, limit: 12, floor: undefined }))
  const claimed = await jobs.claim(session, { workerId, wanted })
  const counts = names.map((name) => claimed.filter((job) => job.queue === name).length)
  expect(counts).toEqual(names.map((_, i) => Math.min(i, 12)))
})

test('the most urgent and the longest due come first, and what is not due does not come', async () => {
  const session = await openSession(databaseUrl)
  const workerId = await registerWorker(session, workers)
  const queue = defineQueue('urgent')
  await pgq.enqueue(queue, 'later', { priority: -10, delay: '1h' })
  await pgq.enqueue(queue, 'old', { scheduledFor: minutesAgo(3) })
  await pgq.enqueue(queue, 'oldest', { scheduledFor: minutesAgo(9) })
  await pgq.enqueue(queue, 'urgent', { priority: -1, scheduledFor: minutesAgo(1) })
  await pgq.enqueue(queue, 'can wait', { priority: 1, scheduledFor: minutesAgo(100) })
  const claimed = [
    ...(await claim(session, workerId, 'urgent', 3)),
    ...(await claim(session, workerId, 'urgent', 9)),
  ]
  expect(claimed.map(({ payload }) => payload)).toEqual(['urgent', 'oldest', 'old', 'can wait'])
})

test('a claim charges the attempt and raises the fence by one', async () => {
  const session = await openSession(databaseUrl)
  const workerId = await registerWorker(session, workers)
  await pgq.enqueue(defineQueue('fenced'), null)
  for (const expected of [
    { fence: 1, attempt: 1 },
    { fence: 3, attempt: 1 },
    { fence: 5, attempt: 1 },
  ]) {
    const [job] = await claim(session, workerId, 'fenced', 1)
    expect(job).toMatchObject(expected)
    // A release gives the attempt back, never the fence: it raises it once more.
    const back = { id: job?.id ?? '', fence: job?.fence ?? 0, workerId, status: 'pending' as const }
    await jobs.settleWaiting(session, [back])
  }
})

test('a row that somebody holds is passed over without waiting', async () => {
  const session = await openSession(databaseUrl)
  const other = await openSession(databaseUrl)
  const workerId = await registerWorker(session, workers)
  const queue = defineQueue('held')
  const [first, second] = await pgq.enqueueMany(queue, [1, 2])
  await other.client.query('BEGIN')
  await other.client.query(`SELECT FROM ${schema}.jobs_waiting WHERE id = $1 FOR UPDATE`, [first?.id])
  expect((await claim(session, workerId, 'held', 5)).map(({ id }) => id)).toEqual([second?.id])
  await other.client.query('COMMIT')
  expect((await claim(session, workerId, 'held', 5)).map(({ id }) => id)).toEqual([first?.id])
})

test('a worker that is unknown, or was declared lost, claims nothing', async () => {
  const session = await openSession(databaseUrl)
  const workerId = await registerWorker(session, workers)
  const { id } = await pgq.enqueue(defineQueue('not.yours'), null)
  expect(await claim(session, randomUUID(), 'not.yours', 1)).toEqual([])
  await sql(`UPDATE ${schema}.workers SET lost_at = clock_timestamp() WHERE id = $1`, [workerId])
  expect(await claim(session, workerId, 'not.yours', 1)).toEqual([])
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', attempts: 0, fence: 0 })
})

test('a claim from a floor skips what is before it, and a floor above everything finds nothing', async () => {
  const session = await openSession(databaseUrl)
  const workerId = await registerWorker(session, workers)
  const queue = defineQueue('floored')
  const at = Date.parse('2026-01-01T00:00:00Z')
  for (const [i, priority] of [0, 0, 0, 1].entries()) {
    await pgq.enqueue(queue, i, { priority, scheduledFor: new Date(at + i * 1_000) })
  }
  const from = (priority: number, scheduledForMs: number): Promise<ClaimedJob[]> =>
    jobs.claim(session, {
      workerId,
      wanted: [{ queue: 'floored', limit: 10, floor: { priority, scheduledForMs } }],
    })
  expect(await from(2, 0)).toEqual([])
  expect((await from(0, at + 1_000)).map(({ payload }) => payload)).toEqual([1, 2, 3])
  expect((await claim(session, workerId, 'floored', 10)).map(({ payload }) => payload)).toEqual([0])
})

test('a claim that finds nothing takes no transaction id and leaves synchronous_commit as it was', async () => {
  const session = await openSession(databaseUrl)
  const workerId = await registerWorker(session, workers)
  await session.client.query('BEGIN')
  expect(await claim(session, workerId, 'empty', 10)).toEqual([])
  const { rows } = await session.client.query('SELECT pg_current_xact_id_if_assigned() AS xid')
  await session.client.query('COMMIT')
  expect(rows).toEqual([{ xid: null }])
  expect((await session.client.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }])
})
