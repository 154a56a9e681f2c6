import { until } from '@pgq/test-support'
import { describe, expect, test, vi } from 'vitest'
import { defineQueue, handle, type Queue, type Rate, RateLimitJob, type Worker } from '../src/index.ts'
import type { ClaimedJob } from '../src/job/job.ts'
import { tablesIn } from '../src/sql/statement.ts'
import type { Database } from '../src/store/database.ts'
import type { ClaimNote } from '../src/store/job-store.ts'
import { QueueStore } from '../src/store/queue-store.ts'
import { heedRateLimit } from '../src/worker/heed-rate-limit.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { openSession, registerWorker, storesOf } from './support/session.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()
const { jobs, workers } = storesOf(schema)
const session = await openSession(databaseUrl)
const workerId = await registerWorker(session, workers)

interface Tenant {
  readonly tenant: string | null
  readonly n: number
}
const byTenant = { group: ({ tenant }: Tenant) => tenant }
const of = (tenant: string | null, count: number): Tenant[] =>
  Array.from({ length: count }, (_, n) => ({ tenant, n }))

/** Claims without a worker around it; returns whose jobs they were, in order, and what was said beside. */
async function claim(queue: string, limit: number, lastGroup?: string) {
  let note: ClaimNote | undefined
  const claimed = await jobs.claim(
    session,
    { workerId, wanted: [{ queue, limit, floor: undefined, lastGroup }] },
    (_, said) => (note = said),
  )
  return { claimed, groups: claimed.map(({ group }) => group), note }
}

const settle = (claimed: readonly { id: string; fence: number }[]) =>
  jobs.settleCompleted(
    session,
    claimed.map(({ id, fence }) => ({ id, fence, workerId, result: { json: null } })),
  )

async function start(
  queue: Queue<Tenant>,
  run: (payload: Tenant) => unknown,
  concurrency = 20,
): Promise<Worker> {
  const worker = pgq.createWorker([
    handle(queue, async (job) => void (await run(job.payload)), { concurrency }),
  ])
  await worker.start()
  return worker
}

describe('groups', () => {
  test('come from the payload, from the call, or from SQL, and stay with the job', async () => {
    const queue = defineQueue('named', { ...byTenant, cost: 2 })
    const a = await pgq.enqueue(queue, { tenant: 'acme', n: 1 })
    const b = await pgq.enqueue(queue, { tenant: 'acme', n: 2 }, { group: 'beta gmbh', cost: 5 })
    const c = await pgq.enqueue(queue, { tenant: 'acme', n: 3 }, { group: null })
    const [d] = await sql(
      `SELECT id FROM ${schema}.enqueue('named', '{}', group_key => 'from sql', cost => 0.5)`,
    )
    const ids = [a.id, b.id, c.id, d.id]
    const rows = await sql(
      `SELECT group_key, cost FROM ${schema}.jobs WHERE id = ANY ($1) ORDER BY array_position($1, id)`,
      [ids],
    )
    expect(rows).toEqual([
      { group_key: 'acme', cost: 2 },
      { group_key: 'beta gmbh', cost: 5 },
      { group_key: null, cost: 2 },
      { group_key: 'from sql', cost: 0.5 },
    ])
    expect((await pgq.get(b.id))?.group).toBe('beta gmbh')
    const { claimed } = await claim('named', 10)
    expect(claimed.map((job) => job.group).toSorted(byName)).toEqual(['acme', 'beta gmbh', 'from sql', null])
    await jobs.settleWaiting(
      session,
      claimed.map(({ id, fence }) => ({
        id,
        fence,
        workerId,
        status: 'failed',
        delayMs: 0,
        error: { name: 'E', message: 'm' },
      })),
    )
    expect((await pgq.get(b.id))?.group).toBe('beta gmbh')
  })

  test('a group or cost that cannot be is refused, and says what it was', async () => {
    const queue = defineQueue('refused', { group: () => '' })
    await expect(pgq.enqueue(queue, 1)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(pgq.enqueue(defineQueue('refused'), 1, { cost: -1 })).rejects.toThrow('cost is -1')
  })

  test('take turns: what one has waiting delays no other', async () => {
    const queue = defineQueue('turns', byTenant)
    await pgq.enqueueMany(queue, of('large', 2_000))
    await pgq.enqueueMany(queue, of('small', 3))
    await pgq.enqueueMany(queue, of(null, 2))
    expect((await claim('turns', 8)).groups).toEqual([
      'large',
      'small',
      null,
      'large',
      'small',
      null,
      'large',
      'small',
    ])
    const { groups } = await claim('turns', 8)
    expect(groups).toEqual(Array(8).fill('large'))
  })

  test('turns go on after the group that was served last, one job at a time', async () => {
    const queue = defineQueue('one by one', byTenant)
    for (const tenant of ['a', 'b', 'c']) await pgq.enqueueMany(queue, of(tenant, 400))
    const served: unknown[] = []
    let last: string | undefined
    for (let i = 0; i < 6; i++) {
      const { groups, note } = await claim('one by one', 1, last)
      served.push(...groups)
      last = note?.cursor
    }
    expect(served).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
  })

  test.each([
    ['few', 20],
    ['many', 400],
  ])('jobs without a group have a turn like one of them, where there are %s', async (few, count) => {
    const queue = defineQueue(`one by one, ${few} without`, byTenant)
    for (const tenant of [null, 'a', 'b']) await pgq.enqueueMany(queue, of(tenant, count))
    const served: unknown[] = []
    let last: string | undefined
    for (let i = 0; i < 9; i++) {
      const { groups, note } = await claim(queue.name, 1, last)
      served.push(...groups)
      last = note?.cursor
    }
    expect(served).toEqual([null, 'a', 'b', null, 'a', 'b', null, 'a', 'b'])
  })

  test('priorities and times are kept within a group, and what is not due is left', async () => {
    const queue = defineQueue('ordered', byTenant)
    await pgq.enqueue(queue, { tenant: 'a', n: 3 }, { priority: 5 })
    await pgq.enqueue(queue, { tenant: 'a', n: 2 })
    await pgq.enqueue(queue, { tenant: 'a', n: 1 }, { priority: -5 })
    await pgq.enqueue(queue, { tenant: 'a', n: 9 }, { priority: -9, delay: '1h' })
    const { claimed } = await claim('ordered', 10)
    expect(claimed.map((job) => (job.payload as Tenant).n)).toEqual([1, 2, 3])
  })

  test('one whose most urgent job is for later takes its turn with what is due', async () => {
    const queue = defineQueue('later.first', byTenant)
    await pgq.enqueueMany(queue, of('a', 300))
    await pgq.enqueue(queue, { tenant: 'b', n: 1 }, { priority: -1, delay: '1h' })
    await pgq.enqueue(queue, { tenant: 'b', n: 2 })
    const { claimed } = await claim('later.first', 4)
    expect(claimed.map(({ payload }) => payload)).toContainEqual({ tenant: 'b', n: 2 })
  })

  test('what some leave of their share goes to those that have more, by the same claim', async () => {
    const queue = defineQueue('uneven', byTenant)
    const small = Array.from({ length: 40 }, (_, n) => of(`t${n}`, 1)).flat()
    await pgq.enqueueMany(queue, [...of('large', 1_000), ...small])
    const { groups } = await claim('uneven', 500)
    expect(groups).toHaveLength(500)
    expect(new Set(groups.slice(0, 41)).size).toBe(41)
    expect(groups.filter((group) => group === 'large')).toHaveLength(460)
  })

  test('thousands of groups are served by a few claims, each once before any twice', async () => {
    const payloads = Array.from({ length: 3_000 }, (_, n) => ({ tenant: `t${n % 1_500}`, n }))
    await pgq.enqueueMany(defineQueue('crowd', byTenant), payloads)
    const served: (string | null)[] = []
    let last: string | undefined
    for (let claims = 0; served.length < 1_500 && claims < 20; claims++) {
      const { groups, note } = await claim('crowd', 200, last)
      served.push(...groups)
      last = note?.cursor
    }
    expect(new Set(served.slice(0, 1_500)).size).toBe(1_500)
  })

  test('that have jobs for later only, however many, take no turn and no share from those that are due', async () => {
    const queue = defineQueue('reminders', byTenant)
    await sql(
      `INSERT INTO ${schema}.jobs_waiting (queue_name, group_key, scheduled_for)
       SELECT 'reminders', 'later ' || n, now() + interval '1 day' FROM generate_series(1, 3000) AS n`,
    )
    await pgq.enqueueMany(queue, of('zzz', 3))
    await pgq.enqueueMany(queue, of('busy', 600))
    const { groups } = await claim('reminders', 20)
    expect(new Set(groups)).toEqual(new Set(['busy', 'zzz']))
    // Those whose turn has not come for long are served beside those whose turn it is.
    const counts = new Map<string | null, number>()
    for (let n = 0, last: string | undefined; n < 20; n++) {
      const turn = await claim('reminders', 20, last)
      last = turn.note?.cursor
      expect(turn.claimed).toHaveLength(20)
      for (const group of turn.groups) counts.set(group, (counts.get(group) ?? 0) + 1)
    }
    expect(counts.get('busy')).toBeGreaterThan(390)
  })
})

describe('concurrency', () => {
  test('of a queue is kept over all claims, and a slot is free when what held it has ended in whatever way', async () => {
    const queue = defineQueue<number>('four')
    await pgq.setLimits(queue, { concurrency: 4 })
    await pgq.enqueueMany(queue, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    const first = await claim('four', 10)
    expect(first.claimed).toHaveLength(4)
    expect(first.note?.limited).toBe(true)
    expect((await claim('four', 10)).claimed).toHaveLength(0)
    await settle(first.claimed.slice(0, 1))
    await pgq.cancel((first.claimed[1] as { id: string }).id)
    await sql(`UPDATE ${schema}.jobs SET status = 'pending' WHERE id = $1`, [first.claimed[2]?.id])
    expect((await claim('four', 10)).claimed).toHaveLength(3)
    expect((await claim('four', 10)).claimed).toHaveLength(0)
  })

  test('of a group is kept, in order, and the other groups go on', async () => {
    const queue = defineQueue('per tenant', byTenant)
    await pgq.setLimits(queue, { concurrency: 5, perGroup: { concurrency: 1 } })
    for (const tenant of ['a', 'b']) await pgq.enqueueMany(queue, of(tenant, 3))
    const order: unknown[] = []
    for (let i = 0; i < 3; i++) {
      const { claimed, groups } = await claim('per tenant', 10)
      expect(groups.toSorted(byName)).toEqual(['a', 'b'])
      order.push(...claimed.map((job) => job.payload))
      expect((await claim('per tenant', 10)).claimed).toEqual([])
      await settle(claimed)
    }
    expect(order).toEqual(
      [0, 1, 2].flatMap((n) => [
        { tenant: 'a', n },
        { tenant: 'b', n },
      ]),
    )
  })

  test('counts what was running before there was a limit, from SQL as well', async () => {
    const queue = defineQueue<number>('late limit')
    await pgq.enqueueMany(queue, [1, 2, 3, 4])
    const { claimed } = await claim('late limit', 2)
    await sql(`INSERT INTO ${schema}.queues (name, concurrency_limit) VALUES ('late limit', 2)`)
    expect((await claim('late limit', 2)).claimed).toEqual([])
    await settle(claimed.slice(0, 1))
    expect((await claim('late limit', 2)).claimed).toHaveLength(1)
  })

  test('a definition writes its limits when a worker starts, once: what was set since then stays', async () => {
    const declared = defineQueue('declared', {
      ...byTenant,
      limits: { concurrency: 7, perGroup: { rate: { limit: 3, per: '1m' } } },
    })
    const worker = await start(declared, () => {})
    expect(await limitsOfDeclared()).toEqual([{ c: 7, r: 3, p: 60_000 }])
    await pgq.setLimits(declared, { concurrency: 2 })
    await worker.stop()
    await worker.start()
    expect(await limitsOfDeclared()).toEqual([{ c: 2, r: null, p: null }])
    await start(defineQueue('declared', { ...byTenant, limits: { concurrency: 8 } }), () => {})
    expect(await limitsOfDeclared()).toEqual([{ c: 8, r: null, p: null }])
    await start(defineQueue('declared', byTenant), () => {})
    expect(await limitsOfDeclared()).toEqual([{ c: 8, r: null, p: null }])
    await start(defineQueue('declared', { ...byTenant, limits: {} }), () => {})
    expect(await limitsOfDeclared()).toEqual([{ c: null, r: null, p: null }])
  })

  test('a declared limit counts the claims that were under way when it was declared', async () => {
    await pgq.enqueueMany(defineQueue<Tenant>('late'), of(null, 8))
    const other = await openSession(databaseUrl)
    await other.client.query('BEGIN')
    const wanted = [{ queue: 'late', limit: 3, floor: undefined }]
    expect(await jobs.claim(other, { workerId, wanted })).toHaveLength(3)
    const starting = start(defineQueue('late', { limits: { concurrency: 2 } }), () => {})
    const isDeclared = `SELECT FROM ${schema}.queues WHERE name = 'late' AND concurrency_limit = 2`
    await until('it is declared', async () => (await sql(isDeclared)).length === 1)
    await other.client.query('COMMIT')
    await starting
    expect((await claim('late', 10)).claimed).toEqual([])
    expect((await sql(`SELECT FROM ${schema}.jobs_processing WHERE queue_name = 'late'`)).length).toBe(3)
  })

  test('a worker at a limit claims again as soon as it has settled', async () => {
    const queue = defineQueue('prompt', { ...byTenant, limits: { perGroup: { concurrency: 1 } } })
    const ran: number[] = []
    await start(queue, ({ n }) => void ran.push(n))
    const began = performance.now()
    await pgq.enqueueMany(queue, of('only', 100))
    await until('all ran', () => ran.length === 100)
    expect(ran).toEqual(Array.from({ length: 100 }, (_, n) => n))
    // 100 polls, at half a second each, would take twice as long.
    expect(performance.now() - began).toBeLessThan(25_000)
  })
})

describe('rates', () => {
  test('at most burst + limit × t / per jobs begin in any time t, and no fewer than that is due', async () => {
    const queue = defineQueue('paced', { ...byTenant, limits: { rate: { limit: 100, per: '1s', burst: 5 } } })
    await pgq.enqueueMany(queue, of('a', 150))
    let ran = 0
    await start(queue, () => ran++)
    await start(queue, () => ran++)
    await until('all ran', () => ran === 150)
    const starts = await startsOf('paced')
    expectRate(starts, { limit: 100, perMs: 1_000, burst: 5 })
    expect((starts.at(-1) as number) - (starts[0] as number)).toBeLessThan(3_000)
  })

  test('of a group count for that group alone', async () => {
    const queue = defineQueue('paced groups', {
      ...byTenant,
      limits: { perGroup: { rate: { limit: 1, per: '1h', burst: 2 } } },
    })
    await pgq.setLimits(queue, { perGroup: { rate: { limit: 1, per: '1h', burst: 2 } } })
    for (const tenant of ['a', 'b', null]) await pgq.enqueueMany(queue, of(tenant, 4))
    const { groups, note } = await claim('paced groups', 20)
    expect(groups.toSorted(byName)).toEqual(['a', 'a', 'b', 'b', null, null, null, null].toSorted(byName))
    expect(note?.againMs).toBeGreaterThan(3_590_000)
    expect((await claim('paced groups', 20)).groups).toEqual([])
  })

  test('of a group saves up no more than its burst in a quiet time', async () => {
    const queue = defineQueue<Tenant>('quiet group', byTenant)
    await pgq.setLimits(queue, { perGroup: { rate: { limit: 1, per: '1h', burst: 2 } } })
    await pgq.enqueueMany(queue, of('a', 20))
    expect((await claim('quiet group', 20)).groups).toHaveLength(2)
    await sql(
      `UPDATE ${schema}.rates SET available_at = available_at - interval '10 days' WHERE queue_name = 'quiet group'`,
    )
    expect((await claim('quiet group', 20)).groups).toHaveLength(2)
    expect((await claim('quiet group', 20)).groups).toEqual([])
  })

  test('a job takes what it costs; one that costs more than the burst waits for all of it and is paid off after', async () => {
    const queue = defineQueue<number>('costly')
    await pgq.setLimits(queue, { rate: { limit: 1, per: '1h', burst: 10 } })
    for (const cost of [4, 4, 4, 1]) await pgq.enqueue(queue, cost, { cost })
    expect((await claim('costly', 10)).claimed.map((job) => job.payload)).toEqual([4, 4])
    // Whoever is small does not overtake: that would starve the large one.
    const { claimed, note } = await claim('costly', 10)
    expect(claimed).toEqual([])
    expect(note?.againMs).toBeGreaterThan(7_190_000)
    expect(note?.againMs).toBeLessThan(7_200_001)
    await pgq.setLimits('costly large', { rate: { limit: 1, per: '1h', burst: 10 } })
    await pgq.enqueue(defineQueue('costly large'), 0, { cost: 30 })
    await pgq.enqueue(defineQueue('costly large'), 0)
    expect((await claim('costly large', 10)).claimed).toHaveLength(1)
    expect((await claim('costly large', 10)).note?.againMs).toBeGreaterThan(20 * 3_600_000)
  })
})

/** A queue whose rate is `before`, of which `count` jobs of this cost have begun, and twenty wait. */
async function used(name: string, before: Rate, count: number, cost = 1): Promise<Queue<number>> {
  const queue = defineQueue<number>(name)
  await pgq.setLimits(queue, { rate: before })
  await pgq.enqueueMany(queue, Array(count).fill(0), { cost })
  expect((await claim(name, 100)).claimed).toHaveLength(count)
  await pgq.enqueueMany(queue, Array(20).fill(0))
  return queue
}

const waitMinutes = (note?: ClaimNote): number => Math.round((note?.againMs ?? 0) / 60_000)

describe('a rate that is changed', () => {
  test('counts from then on: what has begun stays counted, and is paid off by the new rate', async () => {
    const raised = await used('raised', { limit: 1, per: '1h' }, 1)
    await pgq.setLimits(raised, { rate: { limit: 1, per: '1m', burst: 10 } })
    const { claimed, note } = await claim('raised', 100)
    expect(claimed).toHaveLength(9)
    expect(waitMinutes(note)).toBe(1)
    const owing = await used('owing', { limit: 1, per: '1h', burst: 10 }, 1, 30)
    await sql(`UPDATE ${schema}.queues SET rate_period_ms = 60000 WHERE name = 'owing'`)
    expect(waitMinutes((await claim('owing', 100)).note)).toBe(21)
    await pgq.setLimits(owing, {})
    await pgq.setLimits(owing, { rate: { limit: 1, per: '1h', burst: 3 } })
    expect((await claim('owing', 100)).claimed).toHaveLength(3)
  })

  test('gives no more than its burst when it is lowered, and holds nothing against what was within the old one', async () => {
    const some = await used('lowered', { limit: 1, per: '1m', burst: 10 }, 2)
    await pgq.setLimits(some, { rate: { limit: 1, per: '1h', burst: 3 } })
    const { claimed, note } = await claim('lowered', 100)
    expect(claimed).toHaveLength(1)
    expect(waitMinutes(note)).toBe(60)
    const all = await used('lowered more', { limit: 1, per: '1m', burst: 10 }, 8)
    await pgq.setLimits(all, { rate: { limit: 1, per: '1h', burst: 3 } })
    const none = await claim('lowered more', 100)
    expect(none.claimed).toEqual([])
    expect(waitMinutes(none.note)).toBe(60)
  })

  test('of groups is rescaled for each of them, and leaves that of the queue alone', async () => {
    const queue = defineQueue('group rates', byTenant)
    const rate = { limit: 1, per: '1h', burst: 6 } as const
    await pgq.setLimits(queue, { rate, perGroup: { rate: { limit: 1, per: '1h' } } })
    for (const tenant of ['a', 'b']) await pgq.enqueueMany(queue, of(tenant, 10))
    expect((await claim('group rates', 100)).groups).toEqual(['a', 'b'])
    await pgq.setLimits(queue, { rate, perGroup: { rate: { limit: 1, per: '1m', burst: 3 } } })
    expect((await claim('group rates', 100)).groups.toSorted(byName)).toEqual(['a', 'a', 'b', 'b'])
    expect((await claim('group rates', 100)).groups).toEqual([])
  })

  test('waits at its commit for a claim that is under way, and what that took counts by the new one', async () => {
    await pgq.setLimits('meanwhile', { rate: { limit: 1, per: '1h' } })
    await pgq.enqueueMany(defineQueue('meanwhile'), Array(9).fill(0))
    const other = await openSession(databaseUrl)
    await other.client.query('BEGIN')
    const wanted = [{ queue: 'meanwhile', limit: 9, floor: undefined }]
    expect(await jobs.claim(other, { workerId, wanted })).toHaveLength(1)
    const changed = pgq.setLimits('meanwhile', { rate: { limit: 1, per: '1m', burst: 4 } })
    const waiting = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
    await until('the change waits', async () => (await sql(waiting)).length > 0)
    await other.client.query('COMMIT')
    await changed
    expect((await claim('meanwhile', 9)).claimed).toHaveLength(3)
  })

  test('by a transaction that stays open holds up no claim', async () => {
    const queue = await used('open', { limit: 1, per: '1h', burst: 2 }, 1)
    const other = await openSession(databaseUrl)
    await other.client.query('BEGIN')
    await other.client.query(`UPDATE ${schema}.queues SET rate_burst = 5 WHERE name = '${queue.name}'`)
    expect((await claim('open', 100)).claimed).toHaveLength(1)
    await other.client.query('COMMIT')
    expect((await claim('open', 100)).claimed).toHaveLength(3)
  })
})

test('rates are forgotten once all of their burst is saved up, and not before', async () => {
  const rate = { limit: 3, per: '1h', burst: 5 } as const
  const store = new QueueStore(tablesIn(schema))
  const forget = async (minutes: number, group: string): Promise<number> => {
    await sql(`DELETE FROM ${schema}.rates`)
    await sql(
      `INSERT INTO ${schema}.rates (queue_name, group_key, available_at) VALUES ('forgotten', $1, clock_timestamp() - $2 * interval '1 min')`,
      [group, minutes],
    )
    return store.forgetRates(session, 10)
  }
  // The fifth job of the burst is saved up 80 minutes after the first one may begin.
  for (const group of ['', 'a']) {
    await pgq.setLimits('forgotten', group === '' ? { rate } : { perGroup: { rate } })
    expect(await forget(-10, group)).toBe(0)
    expect(await forget(79, group)).toBe(0)
    expect(await forget(101, group)).toBe(1)
  }
  await sql(
    `INSERT INTO ${schema}.rates (queue_name, group_key, blocked_until) VALUES ('nowhere', 'a', now() + '1 h'), ('nowhere', 'b', now() - interval '1 s')`,
  )
  expect(await store.forgetRates(session, 10)).toBe(1)
})

describe('a handler that was turned away', () => {
  test('holds its group back until then, spends no attempt and keeps its place; other groups go on', async () => {
    const queue = defineQueue('turned away', { ...byTenant, maxAttempts: 1 })
    const ran: string[] = []
    let turnedAway = false
    const worker = pgq.createWorker([
      handle(
        queue,
        ({ payload: { tenant, n } }) => {
          if (tenant === 'slow' && !turnedAway) {
            turnedAway = true
            throw new RateLimitJob({ retryAfter: '1' })
          }
          ran.push(`${tenant}${n}`)
        },
        { concurrency: 1 },
      ),
    ])
    await pgq.enqueueMany(queue, of('slow', 2))
    await worker.start()
    await until('it was turned away', () => turnedAway)
    const at = performance.now()
    await pgq.enqueueMany(queue, of('quick', 3))
    await until('the others ran', () => ran.length === 3)
    expect(ran).toEqual(['quick0', 'quick1', 'quick2'])
    await until('the slow ones ran', () => ran.length === 5)
    expect(performance.now() - at).toBeGreaterThan(900)
    expect(performance.now() - at).toBeLessThan(3_000)
    expect(ran.slice(3)).toEqual(['slow0', 'slow1'])
    const ends = `SELECT DISTINCT attempts, status FROM ${schema}.jobs WHERE queue_name = 'turned away'`
    await until('all are settled', async () => (await sql(`${ends} AND status = 'processing'`)).length === 0)
    expect(await sql(ends)).toEqual([{ attempts: 1, status: 'completed' }])
  })

  test('holds the whole queue back when it has no group, or says so', async () => {
    await pgq.enqueueMany(defineQueue('held', byTenant), of('a', 2))
    await pgq.holdBack('held', { for: '1h' })
    const { claimed, note } = await claim('held', 5)
    expect(claimed).toEqual([])
    expect(note?.againMs).toBeGreaterThan(3_500_000)
    await sql(`UPDATE ${schema}.rates SET blocked_until = now() WHERE queue_name = 'held'`)
    expect((await claim('held', 5)).claimed).toHaveLength(2)
  })

  test('is not released by a shorter hold, nor by a handler that was told 0; a hold of 0 lifts it', async () => {
    const queue = defineQueue('lifted', byTenant)
    await pgq.enqueueMany(queue, [...of('a', 2), ...of('b', 1)])
    await pgq.holdBack(queue, { for: '1h' })
    await pgq.holdBack(queue, { for: '1ms' })
    await pgq.holdBack(queue, { for: '1h', group: 'a' })
    expect((await claim('lifted', 9)).note?.againMs).toBeGreaterThan(3_500_000)
    await pgq.holdBack(queue, { for: 0 })
    expect((await claim('lifted', 9)).groups).toEqual(['b'])
    await sql(`SELECT ${schema}.hold_back('lifted', interval '0', 'a')`)
    expect((await claim('lifted', 9)).groups).toEqual(['a', 'a'])

    const told = defineQueue('told', byTenant)
    await pgq.holdBack(told, { for: '1h', group: 'b' })
    const before = await sql(`SELECT blocked_until FROM ${schema}.rates WHERE queue_name = 'told'`)
    const result = { kind: 'threw', error: new RateLimitJob({ retryAfter: 0 }) } as const
    const store = new QueueStore(tablesIn(schema))
    const job = { queue: 'told', group: 'b' } as ClaimedJob
    const onHeldBack = vi.fn<() => void>()
    await heedRateLimit(
      { database: session as unknown as Database, queues: store, events: pgq.events, onHeldBack },
      job,
      result,
    )
    expect(await sql(`SELECT blocked_until FROM ${schema}.rates WHERE queue_name = 'told'`)).toEqual(before)
    expect(onHeldBack).not.toHaveBeenCalled()
  })

  test.each([
    [{ retryAfter: '120' }, 120_000],
    [{ retryAfter: '30s' }, 30_000],
    [{ retryAfter: 1_500 }, 1_500],
    [{ retryAfter: null }, 10_000],
    [{ retryAfter: 'soon' }, 10_000],
    [{}, 10_000],
    [{ retryAfter: new Date(0) }, 0],
    [{ retryAfter: 'Wed, 21 Oct 2015 07:28:00 GMT' }, 0],
  ])('%j waits for %d ms', (options, ms) => {
    expect(new RateLimitJob(options).message).toBe(`rate limited for ${ms} ms`)
  })
})

const limitsOfDeclared = (): Promise<unknown[]> =>
  sql(
    `SELECT concurrency_limit AS c, group_rate_limit AS r, group_rate_period_ms AS p FROM ${schema}.queues WHERE name = 'declared'`,
  )

const byName = (a: string | null, b: string | null): number => (a ?? 'zz').localeCompare(b ?? 'zz')

const startsOf = async (queue: string): Promise<number[]> =>
  (
    await sql(
      `SELECT extract(epoch FROM started_at) * 1000 AS ms FROM ${schema}.jobs WHERE queue_name = $1 ORDER BY started_at`,
      [queue],
    )
  ).map((row) => Number(row.ms))

/** Whatever window one picks: so many begin in it at the most. */
function expectRate(
  starts: readonly number[],
  { limit, perMs, burst }: { limit: number; perMs: number; burst: number },
): void {
  for (let from = 0; from < starts.length; from++) {
    for (let to = from; to < starts.length; to++) {
      const span = (starts[to] as number) - (starts[from] as number)
      // The database counts in microseconds.
      expect(to - from + 1).toBeLessThanOrEqual(burst + (limit * (span + 0.01)) / perMs)
    }
  }
}
