import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { createPgq } from '../src/index.ts'
import { tablesIn } from '../src/sql/statement.ts'

/**
 * A claim under limits is a function of several statements, and shows no plan of its own. What it reads shows whether one of them was
 * planned for other statistics: each claim is run in a transaction of its own, and the server says what that has touched.
 */

const schema = 'pgq_limited_plans'
const t = tablesIn(schema)
const WORKER = '00000000-0000-4000-8000-00000000000a'
const ROWS = 20_000
const GROUPS = 40
const SLOTS = 100

let client: pg.Client

beforeAll(async () => {
  client = new pg.Client({ connectionString: inject('directUrl') })
  await client.connect()
  await client.query(`DROP SCHEMA IF EXISTS ${t.schema} CASCADE`)
  const pgq = createPgq({ connectionString: inject('directUrl'), schema })
  await pgq.migrate()
  await pgq.close()
  for (const table of [t.waiting, t.processing])
    await client.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`)
})

afterAll(async () => {
  await client.query(`DROP SCHEMA ${t.schema} CASCADE`)
  await client.end()
})

beforeEach(async () => {
  await client.query(`TRUNCATE ${t.waiting}, ${t.processing}, ${t.workers}, ${t.queues}, ${t.rates}`)
  await client.query(
    `INSERT INTO ${t.workers} (id, name, hostname, pid, queues, concurrency, lease_until) VALUES ($1, 'w', 'h', 1, '{q}', 1, now() + interval '1 h')`,
    [WORKER],
  )
})

/** Jobs of our queue in GROUPS groups (0 for none), those of others, and what runs: 50 of ours, and many of others that count as well. */
const fill = async (count: number, groups = GROUPS): Promise<void> => {
  await client.query(
    `INSERT INTO ${t.waiting} (queue_name, group_key)
     SELECT 'q', CASE WHEN $2::int > 0 THEN 'g' || n % $2::int END FROM generate_series(1, $1::int) AS n`,
    [count, groups],
  )
  await client.query(
    `INSERT INTO ${t.processing} (id, queue_name, status, locked_by, limited, group_key)
     SELECT ${t.schema}.uuidv7(), CASE WHEN n <= 50 THEN 'q' ELSE 'other' END, 'processing', $2, true, CASE WHEN n <= 50 THEN 'g' || n % $3::int END
     FROM generate_series(1, $1::int) AS n`,
    [count, WORKER, GROUPS],
  )
}

const analyze = (): Promise<unknown> => client.query(`VACUUM ANALYZE ${t.waiting}, ${t.processing}`)

/** The moments at which the analyzer may have looked. */
const MOMENTS: Record<string, (groups?: number) => Promise<void>> = {
  'never looked': (groups) => fill(ROWS, groups),
  'looked when it was empty': async (groups) => {
    await analyze()
    await fill(ROWS, groups)
  },
  'looked when it was full of other rows': async (groups) => {
    await client.query(
      `INSERT INTO ${t.waiting} (queue_name, group_key) SELECT 'other' || n % 50, 'x' FROM generate_series(1, ${ROWS}) AS n`,
    )
    await analyze()
    await client.query(`DELETE FROM ${t.waiting}`)
    await fill(ROWS, groups)
  },
  'has just looked': async (groups) => {
    await fill(ROWS, groups)
    await analyze()
  },
}

interface Cost {
  readonly claimed: number
  /** Rows that scans and index probes have fetched of what waits, and of what runs. */
  readonly waiting: number
  readonly processing: number
  readonly scans: number
  readonly buffers: number
}

async function claim(): Promise<Cost> {
  await client.query('BEGIN')
  try {
    const before = await touched()
    const { rows } = await client.query(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT id FROM ${t.schema}.claim_limited($1, 'q', ${SLOTS}, NULL, -32768, '-Infinity') WHERE id IS NOT NULL`,
      [WORKER],
    )
    const plan = rows[0]['QUERY PLAN'][0].Plan
    const after = await touched()
    const read = (table: string): number => (after[table]?.read ?? 0) - (before[table]?.read ?? 0)
    return {
      claimed: plan['Actual Rows'],
      waiting: read('jobs_waiting'),
      processing: read('jobs_processing'),
      scans: Object.entries(after).reduce(
        (sum, [table, { scans }]) => sum + scans - (before[table]?.scans ?? 0),
        0,
      ),
      buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
    }
  } finally {
    await client.query('ROLLBACK')
  }
}

async function touched(): Promise<Record<string, { read: number; scans: number }>> {
  const { rows } = await client.query(
    `SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS read, seq_scan AS scans
     FROM pg_stat_xact_user_tables WHERE schemaname = $1 AND relname IN ('jobs_waiting', 'jobs_processing')`,
    [schema],
  )
  return Object.fromEntries(
    rows.map((row) => [row.relname, { read: Number(row.read), scans: Number(row.scans) }]),
  )
}

const setLimits = (columns: string, values: string): Promise<unknown> =>
  client.query(`INSERT INTO ${t.queues} (name, ${columns}) VALUES ('q', ${values})`)

/** For each kind of limit: what is set, and how many of SLOTS jobs it lets go beside the 50 that run. */
const LIMITS: [string, () => Promise<unknown>, number][] = [
  ['of the queue', () => setLimits('concurrency_limit', '120'), 70],
  ['that is never reached', () => setLimits('concurrency_limit', '1000000'), SLOTS],
  // Ten of the groups have two at work, the others one.
  ['of each group', () => setLimits('group_concurrency_limit', '2'), 30],
  ['of the rate', () => setLimits('rate_limit, rate_period_ms, rate_burst', '1, 60000, 20'), 20],
  [
    'of the rate of each group',
    () => setLimits('group_rate_limit, group_rate_period_ms', '1, 60000'),
    GROUPS,
  ],
  ['that there is none', () => Promise.resolve(), SLOTS],
]

describe.each(Object.keys(MOMENTS))('when the analyzer %s', (moment) => {
  test.each(LIMITS)(
    'a claim with groups and a limit %s reads little more than it takes',
    async (_, set, due) => {
      await set()
      await MOMENTS[moment]?.()
      const cost = await claim()
      expect(cost.claimed).toBe(due)
      expect(cost.scans).toBe(0)
      // 256 to see which groups are due, a probe for each group, what there is room for, and what is taken.
      expect(cost.waiting).toBeLessThan(256 + 2 * GROUPS + 2 * SLOTS)
      expect(cost.processing).toBeLessThan(50 + 2 * GROUPS + 2 * SLOTS)
      expect(cost.buffers).toBeLessThan(60 * SLOTS)
    },
  )

  test('a claim without groups reads what it takes', async () => {
    await setLimits('concurrency_limit', '1000000')
    await MOMENTS[moment]?.(0)
    const cost = await claim()
    expect(cost.claimed).toBe(SLOTS)
    expect(cost.scans).toBe(0)
    expect(cost.waiting).toBeLessThan(5 * SLOTS)
    expect(cost.processing).toBeLessThan(50 + 2 * SLOTS)
    expect(cost.buffers).toBeLessThan(60 * SLOTS)
  })
})
