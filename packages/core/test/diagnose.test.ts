import { startPostgres } from '@pgq/embedded-postgres'
import { cleanUpAfterwards, freshName, work } from '@pgq/test-support'
import pg from 'pg'
import { describe, expect, inject, test } from 'vitest'
import { createPgq, defineQueue, type Finding, handle, type Pgq } from '../src/index.ts'
import { freshQueue, unmigratedQueue } from './support/fresh-queue.ts'

/** What a check found that is more than a remark: the tests' server has no fsync, which is said of it each time. */
async function found(pgq: Pgq, check: Finding['check'], options = {}): Promise<readonly Finding[]> {
  const { findings } = await pgq.diagnose(options)
  return findings.filter((finding) => finding.check === check && finding.severity !== 'ok')
}
const finding = (severity: Finding['severity'], message: RegExp, fix: RegExp) =>
  expect.objectContaining({
    severity,
    message: expect.stringMatching(message),
    fix: expect.stringMatching(fix),
  })

test('on a durable server with a worker there is nothing to complain of', { timeout: 60_000 }, async () => {
  const server = await startPostgres({ durable: true })
  cleanUpAfterwards(() => server.stop())
  const pgq = createPgq({ connectionString: server.url })
  cleanUpAfterwards(() => pgq.close())
  await pgq.migrate()
  const worker = await work(pgq, [handle(defineQueue('mails'), () => {})])
  await expect
    .poll(async () => (await pgq.diagnose()).findings.filter(({ severity }) => severity !== 'ok'))
    .toEqual([])
  const { isHealthy, findings } = await pgq.diagnose()
  expect(isHealthy).toBe(true)
  expect([...new Set(findings.map(({ check }) => check))].toSorted()).toEqual([
    'autovacuum',
    'bloat',
    'clock',
    'horizon',
    'partitions',
    'pooler',
    'queues',
    'schema',
    'server',
    'workers',
  ])
  await worker.stop()
})

test('a schema that is missing or too old is a problem, and the server is looked at all the same', async () => {
  const { pgq, sql, schema } = unmigratedQueue()
  expect(await found(pgq, 'schema')).toEqual([finding('problem', /is not in this database$/, /migrate/)])
  expect(await found(pgq, 'server')).toEqual([finding('problem', /fsync is off/, /fsync = on/)])
  await pgq.migrate()
  await sql(`DELETE FROM ${schema}.migrations WHERE id = (SELECT max(id) FROM ${schema}.migrations)`)
  expect(await found(pgq, 'schema')).toEqual([
    finding('problem', /is at version \d+ and this package needs \d+$/, /migrate/),
  ])
  expect((await pgq.diagnose()).isHealthy).toBe(false)
})

test('synchronous_commit that is off for the role is a warning', async () => {
  const { schema } = await freshQueue()
  const url = new URL(inject('directUrl'))
  url.searchParams.set('options', '-c synchronous_commit=off')
  const pgq = createPgq({ connectionString: url.href, schema })
  cleanUpAfterwards(() => pgq.close())
  expect(await found(pgq, 'server')).toContainEqual(finding('warning', /synchronous_commit is off/, /RESET/))
})

test('autovacuum that somebody turned off or made late for a table is found, and the fix ends it', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`ALTER TABLE ${schema}.jobs_waiting SET (autovacuum_enabled = off)`)
  await sql(`ALTER TABLE ${schema}.jobs_processing RESET (autovacuum_vacuum_scale_factor)`)
  const findings = await found(pgq, 'autovacuum')
  expect(findings).toEqual([
    finding('warning', /late to jobs_processing/, /ALTER TABLE .*jobs_processing.*0\.01/),
    finding('problem', /off for jobs_waiting/, /ALTER TABLE .*jobs_waiting/),
  ])
  for (const { fix } of findings) await sql(fix ?? '')
  expect(await found(pgq, 'autovacuum')).toEqual([])
})

describe('who holds the xmin horizon back', () => {
  test('a session with a long transaction is named, with its last query and how to end it', async () => {
    const { pgq, sql } = await freshQueue()
    const client = new pg.Client({
      connectionString: inject('directUrl'),
      application_name: 'nightly report',
    })
    client.on('error', () => {})
    await client.connect()
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
    const found1 = (await found(pgq, 'horizon', { longTransaction: 0 })).filter(({ message }) =>
      message.includes('nightly report'),
    )
    expect(found1).toEqual([
      finding(
        'problem',
        /the session \d+ \(.*nightly report\), idle in transaction, last query "SELECT pg_backend_pid/,
        /pg_terminate_backend/,
      ),
    ])
    expect(found1[0]?.fix).toContain(`pg_terminate_backend(${rows[0].pid})`)
    expect((await found(pgq, 'horizon')).filter(({ message }) => message.includes('nightly'))).toEqual([])
    await sql('SELECT pg_terminate_backend($1)', [rows[0].pid])
    await expect
      .poll(async () =>
        (await found(pgq, 'horizon', { longTransaction: 0 })).filter(({ message }) =>
          message.includes('nightly'),
        ),
      )
      .toEqual([])
  })

  test('a prepared transaction is named, and the fix ends it', { timeout: 60_000 }, async () => {
    const server = await startPostgres({ settings: { max_prepared_transactions: '2' } })
    cleanUpAfterwards(() => server.stop())
    const pgq = createPgq({ connectionString: server.url })
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    cleanUpAfterwards(async () => {
      await client.end()
      await pgq.close()
    })
    await pgq.migrate()
    await client.query('BEGIN')
    await client.query('CREATE TABLE forgotten ()')
    await client.query(`PREPARE TRANSACTION 'it''s forgotten'`)
    const [one, ...others] = await found(pgq, 'horizon', { longTransaction: 0 })
    expect(others).toEqual([])
    expect(one).toEqual(finding('problem', /prepared transaction "it's forgotten"/, /ROLLBACK PREPARED/))
    await client.query(/ROLLBACK PREPARED '.*'/.exec(one?.fix ?? '')?.[0] ?? '')
    expect(await found(pgq, 'horizon', { longTransaction: 0 })).toEqual([])
  })

  test('a role that may not see other sessions is told so', async () => {
    const { schema, sql } = await freshQueue()
    const role = freshName()
    await sql(`CREATE ROLE ${role} LOGIN`)
    await sql(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`)
    await sql(`GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role}`)
    const url = new URL(inject('directUrl'))
    url.username = role
    const pgq = createPgq({ connectionString: url.href, schema })
    cleanUpAfterwards(async () => {
      await pgq.close()
      await sql(`DROP OWNED BY ${role}`)
      await sql(`DROP ROLE ${role}`)
    })
    expect(await found(pgq, 'horizon')).toEqual([finding('note', /may not see/, /pg_read_all_stats/)])
  })
})

test(
  'dead rows that vacuum has not removed, and indexes that a broken build has left, are bloat',
  { timeout: 60_000 },
  async () => {
    const { pgq, sql, schema } = await freshQueue()
    await sql(`ALTER TABLE ${schema}.jobs_waiting SET (autovacuum_enabled = off)`)
    await sql(`INSERT INTO ${schema}.jobs (queue_name) SELECT 'q' FROM generate_series(1, 60000)`)
    await sql(`DELETE FROM ${schema}.jobs_waiting`)
    await expect
      .poll(() => found(pgq, 'bloat'), { timeout: 20_000 })
      .toContainEqual(finding('warning', /jobs_waiting has 60000 dead rows beside 0 live ones/, /VACUUM/))
    await sql(`VACUUM ${schema}.jobs_waiting`)
    await expect.poll(() => found(pgq, 'bloat'), { timeout: 20_000 }).toEqual([])
    await sql(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${schema}.jobs_dead_id'::regclass`)
    const [broken] = await found(pgq, 'bloat')
    expect(broken).toEqual(finding('warning', /jobs_dead_id .* is invalid/, /REINDEX/))
    await sql(/^REINDEX INDEX CONCURRENTLY \S+(?=, )/.exec(broken?.fix ?? '')?.[0] ?? '')
    expect(await found(pgq, 'bloat')).toEqual([])
  },
)

test('a pooler that shares connections is noticed, and a server by itself is not taken for one', async () => {
  const { pgq } = await freshQueue()
  const isPooled = inject('databaseUrl') !== inject('directUrl')
  expect(await found(pgq, 'pooler')).toEqual(
    isPooled ? [finding('note', /transaction mode/, /directly to PostgreSQL/)] : [],
  )
})

test('days without a partition, and jobs that fell into the default one, are found', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const [{ name }] = await sql(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = '${schema}.jobs_completed'::regclass
     AND inhrelid::regclass::text ~ '_\\d{8}$' ORDER BY 1 LIMIT 1`,
  )
  await sql(`DROP TABLE ${name}`)
  const today = new Date().toISOString().slice(0, 10)
  expect(await found(pgq, 'partitions')).toEqual([
    finding('warning', new RegExp(`no partition for ${today}`), /migrate/),
  ])
  await sql(`INSERT INTO ${schema}.jobs (queue_name, status, completed_at) VALUES ('q', 'completed', now())`)
  expect(await found(pgq, 'partitions')).toContainEqual(finding('note', /1 completed job/, /./))
})

describe('workers and queues', () => {
  test('a worker that died with jobs in its name is a problem while nobody is there to rescue them', async () => {
    const { pgq, sql, schema } = await freshQueue()
    const late = '00000000-0000-4000-8000-000000000001'
    await sql(
      `INSERT INTO ${schema}.workers (id, name, hostname, pid, queues, concurrency, lease_until)
       VALUES ($1, 'dead one', 'h', 1, '{q}', 1, now() - interval '1 min')`,
      [late],
    )
    await sql(`INSERT INTO ${schema}.jobs (queue_name, status, locked_by) VALUES ('q', 'processing', $1)`, [
      late,
    ])
    await sql(
      `INSERT INTO ${schema}.jobs (queue_name, status, locked_by) VALUES ('q', 'processing', gen_random_uuid())`,
    )
    expect(await found(pgq, 'workers')).toEqual([
      finding(
        'problem',
        /"dead one" has not renewed its lease, .* 1 min( \d+ s)? ago, with 1 job in its name/,
        /start a worker/,
      ),
      finding('problem', /nobody knows the worker .*1 job/, /start a worker/),
      finding('note', /no worker is alive/, /pgq work/),
    ])
    expect((await pgq.diagnose()).isHealthy).toBe(false)
  })

  test('workers that listen to nothing or leave the maintenance to others are noticed', async () => {
    const { pgq } = await freshQueue()
    await work(pgq, [handle(defineQueue('q'), () => {})], { listen: false, maintenance: false, name: 'deaf' })
    expect(await found(pgq, 'workers')).toEqual([
      finding('warning', /no worker does the maintenance/, /maintenance: true/),
      finding('note', /1 worker of 1 hears no notifications: "deaf"/, /listen: true/),
    ])
  })

  test('due jobs that nobody handles, that are paused or that wait too long are found', async () => {
    const { pgq, sql, schema } = await freshQueue()
    const [handled, unhandled, paused] = ['handled', 'unhandled', 'paused'].map((name) => defineQueue(name))
    await work(pgq, [handle(handled!, () => new Promise(() => {}), { concurrency: 1 })])
    for (const queue of [unhandled!, paused!]) await pgq.enqueue(queue, {})
    await pgq.pause(paused!)
    await sql(
      `INSERT INTO ${schema}.jobs (queue_name, scheduled_for) SELECT 'handled', now() - interval '3 min' FROM generate_series(1, 300)`,
    )
    expect(await found(pgq, 'queues')).toEqual([
      finding('warning', /"handled" is behind: .* 3 min/, /explain/),
      finding('note', /"paused" is paused since/, /resume/),
      finding('problem', /"unhandled" has due jobs.*no live worker/, /start a worker/),
    ])
  })
})
