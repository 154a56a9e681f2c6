import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createPgq, defineQueue, handle, type Pgq } from '../src/index.ts'
import { HOT_SETTINGS } from '../src/migrations/0005-hot-statements.ts'
import { claimJobs, claimText } from '../src/sql/claim-jobs.ts'
import { enqueueAlike } from '../src/sql/enqueue-jobs.ts'
import { settleCompleted } from '../src/sql/settle-completed.ts'
import { type Parameter, tablesIn } from '../src/sql/statement.ts'
import { newJobId } from '../src/job/job-id.ts'
import { latch } from '@pgq/test-support'

/**
 * What a job costs, in counts that are the same on every machine: whoever makes a hot path dearer has to raise a number
 * here, and to say why. The bounds lie about a tenth above what was measured, so that one more index is seen.
 */

const schema = 'pgq_costs'
const t = tablesIn(schema)
const WORKER = '00000000-0000-4000-8000-00000000000c'
const BATCH = 1_000
const BATCHES = 5

let client: pg.Client
let pgq: Pgq

beforeAll(async () => {
  client = new pg.Client({ connectionString: inject('databaseUrl') })
  await client.connect()
  await client.query(`DROP SCHEMA IF EXISTS ${t.schema} CASCADE`)
  pgq = createPgq({ connectionString: inject('databaseUrl'), schema })
  await pgq.migrate()
  for (const table of [t.waiting, t.processing, t.completedDefault])
    await client.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`)
  await client.query(
    `INSERT INTO ${t.workers} (id, name, hostname, pid, queues, concurrency, lease_until) VALUES ($1, 'w', 'h', 1, '{q}', 1, now() + interval '1 h')`,
    [WORKER],
  )
})

afterAll(async () => {
  await pgq.close()
  await client.query(`DROP SCHEMA ${t.schema} CASCADE`)
  await client.end()
})

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly 'WAL Bytes': number
  readonly 'WAL FPI': number
  readonly Plans?: readonly Node[]
}

/** Runs a statement and returns what it did, with the values as literals: this is EXPLAIN, which takes no parameters. */
async function costs(text: string, values: readonly Parameter[]): Promise<Node> {
  const literals = values.map((value) =>
    value === null
      ? 'NULL'
      : `'${(Array.isArray(value) ? `{${value.join(',')}}` : String(value)).replaceAll("'", "''")}'`,
  )
  const sql = text.replaceAll(/\$(\d)/g, (_, n: string) => literals[Number(n) - 1] as string)
  const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, WAL, FORMAT JSON) ${sql}`)
  return rows[0]['QUERY PLAN'][0].Plan
}

const wanted = { workerId: WORKER, wanted: [{ queue: 'q', limit: BATCH, floor: undefined }] }
const pages = (node: Node): number => node['Shared Hit Blocks'] + node['Shared Read Blocks']
/** Images of whole pages come after a checkpoint, which may happen at any time: a batch without them says what a job costs. */
const perJob = (nodes: readonly Node[], of: (node: Node) => number): number =>
  Math.min(...nodes.map(of)) / BATCH

async function enqueueBatch(): Promise<Node> {
  const ids = Array.from({ length: BATCH }, newJobId)
  const payloads = `[${ids.map((_, n) => `{"n":${n}}`).join(',')}]`
  const statement = enqueueAlike(t)
  return costs(
    statement.text,
    statement.values({ shared: '{"queue":"q","max_attempts":3}', ids, payloads, transactionId: null }),
  )
}

async function settleBatch(): Promise<Node> {
  const { rows } = await client.query(`SELECT id, fence FROM ${t.processing} ORDER BY id`)
  const claims = rows.map((row) => ({ id: row.id as string, fence: row.fence as number, workerId: WORKER }))
  expect(claims).toHaveLength(BATCH)
  return costs(settleCompleted(t).text, settleCompleted(t).values({ claims, results: null, problems: null }))
}

test('pages and WAL for each job, from enqueue to history', async () => {
  const enqueues: Node[] = []
  const claims: Node[] = []
  const settles: Node[] = []
  for (let n = 0; n < BATCHES; n++) enqueues.push(await enqueueBatch())
  for (let n = 0; n < BATCHES; n++) {
    claims.push(await costs(claimJobs(t).text, claimJobs(t).values(wanted)))
    settles.push(await settleBatch())
  }
  const measured = {
    'enqueue: WAL bytes': perJob(enqueues, (node) => node['WAL Bytes']),
    'claim: WAL bytes': perJob(claims, (node) => node['WAL Bytes']),
    'settle: WAL bytes': perJob(settles, (node) => node['WAL Bytes']),
    'enqueue: pages': perJob(enqueues, pages),
    'claim: pages': perJob(claims, pages),
    'settle: pages': perJob(settles, pages),
  }
  const limits: Record<keyof typeof measured, number> = {
    'enqueue: WAL bytes': 350,
    'claim: WAL bytes': 400,
    'settle: WAL bytes': 390,
    'enqueue: pages': 6,
    'claim: pages': 8.5,
    'settle: pages': 12,
  }
  for (const [what, limit] of Object.entries(limits)) {
    expect.soft(measured[what as keyof typeof measured], what).toBeLessThan(limit)
    expect.soft(measured[what as keyof typeof measured], `${what}: nothing was measured`).toBeGreaterThan(0)
  }
})

test('a claim reads no row that it does not claim', async () => {
  await enqueueBatch()
  await enqueueBatch()
  await client.query('BEGIN')
  for (const setting of HOT_SETTINGS) await client.query(`SET LOCAL ${setting}`)
  const plan = await costs(claimText(t), claimJobs(t).values(wanted))
  await client.query('COMMIT')
  const flat = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flat)]
  const scans = flat(plan).filter(
    (node) => node['Relation Name'] === 'jobs_waiting' && /Index/.test(node['Node Type']),
  )
  const read = scans.reduce(
    (sum, node) => sum + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
    0,
  )
  // One more for each look at which priority comes next.
  expect(read).toBeGreaterThanOrEqual(BATCH)
  expect(read).toBeLessThanOrEqual(BATCH + 10)
  await settleBatch()
})

test('a worker sends a few statements for a thousand jobs', async () => {
  const queue = defineQueue('counted')
  const total = 10_000
  await pgq.enqueueMany(
    queue,
    Array.from({ length: total }, (_, n) => n),
  )
  const sent = { claims: 0, settles: 0 }
  // oxlint-disable-next-line typescript/unbound-method -- it is put back, and called with its own `this`
  const query = pg.Client.prototype.query
  const counting = function (this: pg.Client, ...args: unknown[]): unknown {
    const text = (args[0] as { text?: string } | undefined)?.text ?? ''
    if (text.includes('claim_jobs(')) sent.claims++
    if (text.includes('settle_completed(')) sent.settles++
    return Reflect.apply(query as never, this, args as never)
  }
  pg.Client.prototype.query = counting as never
  try {
    const over = latch()
    let left = total
    pgq.events.on('job.completed', () => {
      if (--left === 0) over.open()
    })
    const worker = pgq.createWorker([handle(queue, () => {}, { concurrency: 10 })])
    await worker.start()
    await over.opened
    await worker.stop()
  } finally {
    pg.Client.prototype.query = query
  }
  const perThousand = (n: number): number => (n * 1_000) / total
  expect(perThousand(sent.claims)).toBeGreaterThan(0.1)
  expect(perThousand(sent.claims)).toBeLessThan(4)
  expect(perThousand(sent.settles)).toBeGreaterThan(0.5)
  expect(perThousand(sent.settles)).toBeLessThan(12)
})
