import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { createPgq } from '../src/index.ts'
import { HOT_SETTINGS } from '../src/migrations/0005-hot-statements.ts'
import { claimJobs, claimText } from '../src/sql/claim-jobs.ts'
import { cancelJobs, deleteJobs, hastenJobs, redriveJobs } from '../src/sql/control-jobs.ts'
import { findOutcomes } from '../src/sql/find-outcomes.ts'
import { type Claim, lostClaims } from '../src/sql/held-claims.ts'
import { storeProgress } from '../src/sql/progress.ts'
import { getJob, getJobs } from '../src/sql/read-jobs.ts'
import { rescueJobs } from '../src/sql/rescue-jobs.ts'
import { settleCompleted, settleCompletedText } from '../src/sql/settle-completed.ts'
import { settleEnded, settleEndedText } from '../src/sql/settle-ended.ts'
import { settleWaiting, settleWaitingText } from '../src/sql/settle-waiting.ts'
import { type Statement, tablesIn } from '../src/sql/statement.ts'
import { jobVersions } from '../src/sql/watch-jobs.ts'
import { explain, type Explained, type PlanMode } from './support/explain.ts'

/**
 * The live table swings between nothing and a million rows, and statistics are always those of another moment. Every
 * statement that a worker depends on must have the same plan whatever they say: these tests lie to the planner.
 */

const schema = 'pgq_plans'
const t = tablesIn(schema)
const WORKER = '00000000-0000-4000-8000-00000000000a'
const ROWS = 20_000
const BATCH = 200

let client: pg.Client

beforeAll(async () => {
  client = new pg.Client({ connectionString: inject('directUrl') })
  await client.connect()
  await client.query(`DROP SCHEMA IF EXISTS ${t.schema} CASCADE`)
  const pgq = createPgq({ connectionString: inject('directUrl'), schema })
  await pgq.migrate()
  await pgq.close()
  for (const table of [t.waiting, t.processing, t.dead, t.completedDefault]) {
    await client.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`)
  }
})

afterAll(async () => {
  await client.query(`DROP SCHEMA ${t.schema} CASCADE`)
  await client.end()
})

beforeEach(async () => {
  await client.query(
    `TRUNCATE ${t.waiting}, ${t.processing}, ${t.uniqueKeys}, ${t.completed}, ${t.dead}, ${t.workers}`,
  )
  await client.query(
    `INSERT INTO ${t.workers} (id, name, hostname, pid, queues, concurrency, lease_until) VALUES ($1, 'w', 'h', 1, '{q}', 1, now() + interval '1 h')`,
    [WORKER],
  )
})

const fill = (count: number, where = t.waiting, status = 'pending'): Promise<unknown> =>
  client.query(
    `INSERT INTO ${where} (queue_name, payload, status, completed_at, id)
     SELECT 'q', '{"n": 1}', $2, CASE WHEN $2 IN ('dead', 'completed') THEN now() END, ${t.schema}.uuidv7() FROM generate_series(1, $1::int)`,
    [count, status],
  )

/** The moments at which the analyzer may have looked, each leaving ROWS jobs to be claimed. */
const STATISTICS: Record<string, () => Promise<void>> = {
  'never looked': async () => {
    await fill(ROWS)
  },
  'looked when it was empty': async () => {
    await client.query(`VACUUM ANALYZE ${t.waiting}, ${t.processing}`)
    await fill(ROWS)
  },
  'looked when it was full of other rows': async () => {
    await client.query(
      `INSERT INTO ${t.waiting} (queue_name) SELECT 'other' || n % 50 FROM generate_series(1, ${ROWS}) AS n`,
    )
    await client.query(
      `INSERT INTO ${t.processing} (id, queue_name, status, locked_by) SELECT gen_random_uuid(), 'other', 'processing', gen_random_uuid() FROM generate_series(1, ${ROWS})`,
    )
    await client.query(`VACUUM ANALYZE ${t.waiting}, ${t.processing}`)
    await client.query(`DELETE FROM ${t.waiting}; DELETE FROM ${t.processing}`)
    await fill(ROWS)
  },
  'looked when one row was there': async () => {
    await fill(1)
    await client.query(`VACUUM ANALYZE ${t.waiting}, ${t.processing}`)
    await fill(ROWS - 1)
  },
  'has just looked': async () => {
    await fill(ROWS)
    await client.query(`VACUUM ANALYZE ${t.waiting}, ${t.processing}`)
  },
}

/** No page but the ones it needs, no row but the ones it wants: no scan, no sort, no join that reads a whole table. */
function expectFocused({ nodes, buffers }: Explained, most: number, isHot = true): void {
  const types = nodes.map((node) => node['Node Type'])
  const scanned = nodes
    .filter((node) => node['Node Type'] === 'Seq Scan' && node['Relation Name']?.startsWith('jobs_'))
    .map((node) => node['Relation Name'])
    // Outside of the functions a plan is made for the moment: while little is processing it is read as it is.
    .filter((name) => name !== 'jobs_processing' || isHot)
  expect(scanned).toEqual([])
  expect(types.filter((type) => /Hash Join|Merge Join/.test(type))).toEqual([])
  expect(buffers).toBeLessThan(most)
}

const usedIndexes = ({ nodes }: Explained): Set<string> =>
  new Set(
    nodes.flatMap((node) =>
      node['Index Name']?.match(/^jobs_(waiting|processing)/) ? [node['Index Name']] : [],
    ),
  )

/** What runs inside of the functions, which show no plan of their own, and as they run it. */
const claiming: ReturnType<typeof claimJobs> = {
  ...claimJobs(t),
  text: claimText(t),
  // The turns of groups are no concern of this one.
  values: (params) => claimJobs(t).values(params).slice(0, 5),
}
const settling = {
  completed: { ...settleCompleted(t), text: settleCompletedText(t) },
  ended: { ...settleEnded(t), text: settleEndedText(t) },
  waiting: { ...settleWaiting(t), text: settleWaitingText(t) },
}
const explainHot: typeof explain = async (on, statement, params, mode) => {
  await on.query(HOT_SETTINGS.map((setting) => `SET ${setting}`).join(';'))
  try {
    return await explain(on, statement, params, mode)
  } finally {
    await on.query('RESET ALL')
  }
}

const wanted = (limit: number) => ({
  workerId: WORKER,
  wanted: [
    { queue: 'q', limit, floor: undefined },
    { queue: 'empty', limit: 10, floor: undefined },
  ],
})

async function claimBatch(): Promise<Claim[]> {
  await client.query(claimJobs(t).text, [...claimJobs(t).values(wanted(BATCH))])
  const { rows } = await client.query(`SELECT id, fence FROM ${t.processing} ORDER BY id`)
  expect(rows).toHaveLength(BATCH)
  return rows.map((row) => ({ id: row.id, fence: row.fence, workerId: WORKER }))
}

const byId = (claims: readonly Claim[], value: unknown): string =>
  JSON.stringify(Object.fromEntries(claims.map(({ id }) => [id, value])))

describe.each(Object.keys(STATISTICS))('when the analyzer %s', (moment) => {
  beforeEach(() => STATISTICS[moment]?.())

  describe.each<PlanMode>(['custom', 'generic'])('with a %s plan', (mode) => {
    test('a claim walks one index and writes by row address', async () => {
      const plan = await explainHot(client, claiming, wanted(BATCH), mode)
      // About five pages for a row that moves from one table to another; a scan of the table would be thousands more.
      expectFocused(plan, 20 * BATCH)
      expect(usedIndexes(plan)).toEqual(new Set(['jobs_waiting_claim']))
      expect(plan.nodes.some((node) => node['Node Type'] === 'Sort')).toBe(false)
      expect(plan.nodes.find((node) => node['Node Type'] === 'Tid Scan')?.['Actual Rows']).toBe(BATCH)
      const locked = plan.nodes.find((node) => node['Node Type'] === 'LockRows')
      expect(locked?.['Actual Rows']).toBe(BATCH)
    })

    const error = { name: 'Error', message: 'no', stack: 'at …' }
    const settles: [string, (claims: readonly Claim[]) => Promise<Explained>][] = [
      [
        'completed',
        (claims) =>
          explainHot(client, settling.completed, { claims, results: byId(claims, 1), problems: '{}' }, mode),
      ],
      [
        'dead',
        (claims) =>
          explainHot(
            client,
            settling.ended,
            { claims, endings: byId(claims, { status: 'dead', error }) },
            mode,
          ),
      ],
      [
        'failed',
        (claims) =>
          explainHot(
            client,
            settling.waiting,
            { claims, changes: byId(claims, { status: 'failed', delay_ms: 10, error }) },
            mode,
          ),
      ],
    ]
    test.each(settles)('settling a batch as %s probes the id index once for each job', async (_, run) => {
      const plan = await run(await claimBatch())
      expectFocused(plan, 30 * BATCH)
      expect(usedIndexes(plan)).toEqual(new Set(['jobs_processing_id']))
      const probe = plan.nodes.find((node) => node['Index Name'] === 'jobs_processing_id')
      expect((probe?.['Actual Loops'] ?? 0) * (probe?.['Actual Rows'] ?? 0)).toBe(BATCH)
    })

    test('a look for lost claims reads what is processing, and little more than the claims', async () => {
      const claims = await claimBatch()
      const plan = await explain(client, lostClaims(t), claims, mode)
      expectFocused(plan, 30 * BATCH, false)
      expect(plan.nodes[0]?.['Actual Rows']).toBe(0)
    })

    const byIds: [string, Statement<readonly string[], unknown>][] = [
      ['cancel', cancelJobs(t)],
      ['hasten', hastenJobs(t)],
      ['delete', deleteJobs(t)],
    ]
    test.each(byIds)('%s touches only the rows that it was given', async (_, statement) => {
      const ids = (await claimBatch()).map((claim) => claim.id)
      const { rows } = await client.query(`SELECT id FROM ${t.waiting} ORDER BY id LIMIT 50`)
      const given = [...ids.slice(0, 50), ...rows.map((row) => row.id as string)].toSorted()
      const plan = await explain(client, statement, given, mode)
      const scanned = plan.nodes.filter(
        (node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] === 'jobs_waiting',
      )
      expect(scanned).toEqual([])
      expect(plan.buffers).toBeLessThan(10_000)
      expect(usedIndexes(plan)).toContain('jobs_waiting_id')
    })

    test('progress and a look at one job find it by its id', async () => {
      const [held] = await claimBatch()
      if (!held) throw new Error('nothing was claimed')
      expectFocused(
        await explain(client, storeProgress(t), { claim: held, progress: '0.5' }, mode),
        100,
        false,
      )
      const plan = await explain(client, getJob(t), { id: held.id }, mode)
      expect(plan.buffers).toBeLessThan(100)
      expect(usedIndexes(plan)).toContain('jobs_waiting_id')
      const looks: Statement<{ readonly ids: readonly string[] }, unknown>[] = [jobVersions(t), getJobs(t)]
      for (const statement of looks) {
        const watched = await explain(client, statement, { ids: [held.id] }, mode)
        expect(watched.buffers).toBeLessThan(100)
        expect(usedIndexes(watched)).toContain('jobs_waiting_id')
      }
    })

    test('a rescue reads what is processing, and nothing of what waits', async () => {
      await claimBatch()
      await client.query(`UPDATE ${t.workers} SET lost_at = now()`)
      const plan = await explain(client, rescueJobs(t), { limit: 1_000 }, mode)
      expect(
        plan.nodes.filter(
          (node) => node['Relation Name'] === 'jobs_waiting' && node['Node Type'] !== 'ModifyTable',
        ),
      ).toEqual([])
      expect(plan.buffers).toBeLessThan(30 * BATCH)
    })

    test('a rescue reads what is processing once, however many workers are lost, and not at all when none is', async () => {
      const looks = async (): Promise<unknown> => {
        const plan = await explain(client, rescueJobs(t), { limit: 1_000 }, mode)
        return plan.nodes
          .filter(
            (node) => node['Relation Name'] === 'jobs_processing' && node['Node Type'] !== 'ModifyTable',
          )
          .reduce((sum, node) => sum + (node['Node Type'] === 'Seq Scan' ? node['Actual Loops'] : 0), 0)
      }
      // Of a few pages it may read all twice.
      await fill(ROWS, t.processing, 'processing')
      expect(await looks()).toBe(0)
      await client.query(
        `INSERT INTO ${t.workers} (id, name, hostname, pid, queues, concurrency, lease_until, lost_at)
         SELECT gen_random_uuid(), 'w', 'h', 1, '{q}', 1, now(), now() FROM generate_series(1, 50)`,
      )
      expect(await looks()).toBe(1)
    })
  })
})

describe('whatever the statistics', () => {
  test.each<PlanMode>(['custom', 'generic'])(
    'a claim that comes up short does not walk the delayed jobs (%s)',
    async (mode) => {
      await client.query(
        `INSERT INTO ${t.waiting} (queue_name, priority, scheduled_for)
       SELECT 'q', n % 3, now() + interval '1 day' FROM generate_series(1, ${ROWS}) AS n`,
      )
      await client.query(
        `INSERT INTO ${t.waiting} (queue_name, priority) SELECT 'q', 1 FROM generate_series(1, 5)`,
      )
      const plan = await explainHot(client, claiming, wanted(BATCH), mode)
      expect(plan.nodes.find((node) => node['Node Type'] === 'Tid Scan')?.['Actual Rows']).toBe(5)
      expectFocused(plan, 200)
    },
  )

  test.each<PlanMode>(['custom', 'generic'])('a floor skips the dead rows before it (%s)', async (mode) => {
    const reader = new pg.Client({ connectionString: inject('directUrl') })
    await reader.connect()
    await fill(ROWS)
    // Pins the horizon: none of the rows deleted below can be removed, nor their index entries be marked dead.
    await reader.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ${t.waiting}`)
    await client.query(`DELETE FROM ${t.waiting}`)
    await fill(BATCH * 2)
    const { rows } = await client.query(
      `SELECT priority, date_part('epoch', min(scheduled_for)) * 1000 AS ms FROM ${t.waiting} GROUP BY priority`,
    )
    const floor = { priority: rows[0].priority, scheduledForMs: rows[0].ms }
    const params = (limit: number, at: typeof floor | undefined) => ({
      workerId: WORKER,
      wanted: [{ queue: 'q', limit, floor: at }],
    })
    const full = await explainHot(client, claiming, params(10, undefined), mode)
    const floored = await explainHot(client, claiming, params(10, floor), mode)
    await reader.end()
    expect(full.buffers).toBeGreaterThan(5 * floored.buffers)
    expectFocused(floored, 500)
  })

  test.each<PlanMode>(['custom', 'generic'])(
    'redrive and outcomes find history rows by id (%s)',
    async (mode) => {
      await fill(ROWS, t.dead, 'dead')
      await fill(ROWS, t.completed, 'completed')
      await client.query(`UPDATE ${t.dead} SET unique_key = id::text`)
      await client.query(
        `INSERT INTO ${t.waiting} (queue_name, unique_key) SELECT 'q', n FROM generate_series(1, ${ROWS}) AS n`,
      )
      await client.query(`INSERT INTO ${t.uniqueKeys} SELECT queue_name, unique_key, id FROM ${t.waiting}`)
      const { rows } = await client.query(`SELECT id, fence FROM ${t.dead} ORDER BY id LIMIT 50`)
      const ids: string[] = rows.map((row) => row.id)
      const outcomes = await explain(
        client,
        findOutcomes(t),
        {
          ids,
          fences: rows.map((row) => row.fence),
          attempts: rows.map(() => 1),
          startsMs: rows.map(() => 1),
        },
        mode,
      )
      expectFocused(outcomes, 50 * 60)
      const redriven = await explain(client, redriveJobs(t), ids, mode)
      expectFocused(redriven, 50 * 60)
      expect(usedIndexes(redriven)).not.toContain('jobs_waiting_claim')
    },
  )
})

test('the functions of the hot statements keep one plan, scan no table and compile nothing', async () => {
  const { rows } = await client.query(
    `SELECT proname, proconfig FROM pg_proc WHERE pronamespace = $1::regnamespace AND proname ~ '^(claim|settle)_' ORDER BY proname`,
    [schema],
  )
  expect(rows.map((row) => row.proname)).toEqual([
    'claim_jobs',
    'claim_limited',
    'settle_completed',
    'settle_ended',
    'settle_waiting',
  ])
  for (const row of rows)
    expect(row.proconfig).toEqual(
      expect.arrayContaining([
        'plan_cache_mode=force_generic_plan',
        'enable_seqscan=off',
        'enable_bitmapscan=off',
        'jit=off',
      ]),
    )
})
