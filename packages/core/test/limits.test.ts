import { until } from '@pgq/test-support'
import { describe, expect, test } from 'vitest'
import { defineQueue, handle, type Queue, RateLimitJob, type Worker } from '../src/index.ts'
import type { ClaimNote } from '../src/store/job-store.ts'
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

  test('priorities and times are kept within a group, and what is not due is left', async () => {
    const queue = defineQueue('ordered', byTenant)
    await pgq.enqueue(queue, { tenant: 'a', n: 3 }, { priority: 5 })
    await pgq.enqueue(queue, { tenant: 'a', n: 2 })
    await pgq.enqueue(queue, { tenant: 'a', n: 1 }, { priority: -5 })
    await pgq.enqueue(queue, { tenant: 'a', n: 9 }, { priority: -9, delay: '1h' })
    const { claimed } = await claim('ordered', 10)
    expect(claimed.map((job) => (job.payload as Tenant).n)).toEqual([1, 2, 3])
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
