import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createPgq } from '../src/index.ts'
import { groupDead } from '../src/sql/group-dead.ts'
import { lookCheaply } from '../src/sql/look-cheaply.ts'
import { countMatches, searchJobs, type SearchParams } from '../src/sql/search-jobs.ts'
import { type Statement, tablesIn } from '../src/sql/statement.ts'
import { surveyQueues } from '../src/sql/survey-queues.ts'
import { explain } from './support/explain.ts'

/**
 * What a dashboard asks for must not depend on how many jobs there are. These tests fill the tables, lie to the planner about it, and
 * look at what the statements read.
 */

const schema = 'pgq_insight_plans'
const t = tablesIn(schema)
const ROWS = 30_000
const LIMIT = 100
/** Tables that grow. What is processing, and the queues and minutes, are few. */
const LARGE = /^jobs_(waiting|dead|completed)/

let client: pg.Client

beforeAll(async () => {
  client = new pg.Client({ connectionString: inject('directUrl') })
  await client.connect()
  await client.query(`DROP SCHEMA IF EXISTS ${t.schema} CASCADE`)
  const pgq = createPgq({ connectionString: inject('directUrl'), schema })
  await pgq.migrate()
  await pgq.close()
  for (const table of [t.waiting, t.dead, t.completedDefault])
    await client.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`)
}, 60_000)

afterAll(async () => {
  await client.query(`DROP SCHEMA ${t.schema} CASCADE`)
  await client.end()
})

/** Rows in all the places, of a few queues. */
async function fill(): Promise<void> {
  await client.query(`
    INSERT INTO ${t.jobs} (id, queue_name, payload, status, completed_at, error, scheduled_for, group_key)
    SELECT ${t.schema}.uuidv7(), 'q' || n % 3, '{"n": 1}', kind.status, CASE WHEN kind.status IN ('dead', 'completed') THEN now() END, 'failed ' || n,
           now() + (n % 2 - 0.5) * interval '1 h', CASE WHEN kind.status = 'pending' AND n % 2 = 0 THEN 'g' || n % 7 END
    FROM generate_series(1, ${ROWS}) AS n, (VALUES ('pending'), ('dead'), ('completed')) AS kind (status)`)
}

/** When the analyzer may have looked, each time leaving the tables full. */
const STATISTICS: Record<string, () => Promise<void>> = {
  'never looked': fill,
  'looked when it was empty': async () => {
    await client.query(`VACUUM ANALYZE ${t.waiting}, ${t.dead}, ${t.completed}`)
    await fill()
  },
  'looked when it was full': async () => {
    await fill()
    await client.query(`VACUUM ANALYZE ${t.waiting}, ${t.dead}, ${t.completed}`)
  },
}

const NOTHING: SearchParams = {
  ids: null,
  queue: null,
  statuses: null,
  uniqueKey: null,
  payload: null,
  error: null,
  payloadText: null,
  createdAfter: null,
  createdBefore: null,
  after: null,
  limit: 50,
  rows: 500,
}
const filters: Record<string, Partial<SearchParams>> = {
  'all jobs': {},
  'a status': { statuses: ['completed'] },
  'the dead jobs of a queue': { statuses: ['dead'], queue: 'q1' },
  'what there is not': { payload: '{"needle": 1}', error: 'needle', payloadText: 'needle', queue: 'q1' },
}

/** As the package runs it. */
async function read<Params, Row>(
  statement: Statement<Params, Row>,
  params: Params,
): Promise<{ scans: string[]; buffers: number }> {
  await client.query('BEGIN')
  try {
    await client.query(lookCheaply.text, [...lookCheaply.values({ timeoutMs: 10_000 })])
    const { nodes, buffers } = await explain(client, statement, params, 'custom')
    const scans = nodes
      .filter((node) => node['Node Type'] === 'Seq Scan' && LARGE.test(node['Relation Name'] ?? ''))
      .map((node) => node['Relation Name'] ?? '')
    return { scans, buffers }
  } finally {
    await client.query('ROLLBACK')
  }
}

describe.each(Object.keys(STATISTICS))('the analyzer %s', (name) => {
  beforeAll(async () => {
    await client.query(`TRUNCATE ${t.jobs}`)
    await STATISTICS[name]?.()
  }, 60_000)

  // A heap page for each row that is counted at the worst: 10 places of 3 queues.
  test('a survey reads no more of each place than it counts', async () => {
    const { scans, buffers } = await read(surveyQueues(t), { limit: LIMIT })
    expect(scans).toEqual([])
    expect(buffers).toBeLessThan(LIMIT * 3 * 10)
  })

  test.each(Object.keys(filters))(
    'a search for %s reads no more rows than it may look at',
    async (filter) => {
      const place = filter === 'the dead jobs of a queue' ? 'ended' : 'all'
      for (const statement of [searchJobs(t, place), countMatches(t, place)]) {
        const params = { ...NOTHING, ...filters[filter] }
        const { scans, buffers } = await read<SearchParams, unknown>(statement, params)
        expect(scans).toEqual([])
        expect(buffers).toBeLessThan(params.rows * 4)
      }
    },
  )

  test('dead jobs are grouped along the index of the times', async () => {
    const { scans, buffers } = await read(groupDead(t), { queue: null, limit: LIMIT })
    expect(scans).toEqual([])
    expect(buffers).toBeLessThan(LIMIT * 4)
  })
})
