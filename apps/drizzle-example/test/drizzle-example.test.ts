import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { runDrizzleKit, runExample } from './run-example.ts'

const minute = { timeout: 90_000 }
const name = `drizzle_example_${randomBytes(6).toString('hex')}`
const server = new pg.Client({ connectionString: inject('databaseUrl') })
let databaseUrl = ''
let client: pg.Client

beforeAll(async () => {
  await server.connect()
  await server.query(`CREATE DATABASE ${name}`)
  const url = new URL(inject('databaseUrl'))
  url.pathname = `/${name}`
  databaseUrl = url.href
  client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('CREATE SCHEMA shop') // of the other examples, which may have the same DATABASE_URL
})
afterAll(async () => {
  await client.end()
  await server.query(`DROP DATABASE ${name} WITH (FORCE)`)
  await server.end()
})

// oxlint-disable-next-line typescript/no-explicit-any -- a test knows the rows that it asks for
const rows = async (text: string, values: unknown[] = []): Promise<any[]> =>
  (await client.query(text, values)).rows

test('what it says is what the database holds, on an empty one and a second time', minute, async () => {
  for (const run of [1, 2]) {
    const { code, stdout, stderr } = await runExample(databaseUrl, '--json')
    expect(code, stderr).toBe(0) // on a busy machine a worker may tell of a late heartbeat, which harms nobody
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    const outcome = JSON.parse(stdout)
    await compare(outcome)
    const [{ payments, postings, jobs }] = await rows(`
      SELECT (SELECT count(*)::int FROM drizzle_shop.payments) AS payments, (SELECT count(*)::int FROM drizzle_shop.postings) AS postings,
             (SELECT count(*)::int FROM pgq.jobs) AS jobs`)
    expect({ payments, postings, jobs }).toEqual({ payments: 5 * run, postings: 10 * run, jobs: 10 * run })
  }
})

/** Compares what a run said with the tables. */
async function compare(outcome: Record<string, any>): Promise<void> {
  const { payments, refusal, crash, ledger, deadReceipts } = outcome
  expect(payments.map((payment: any) => [payment.posted, payment.receipt, payment.message !== null])).toEqual(
    [
      ['completed', 'completed', true],
      ['completed', 'completed', true],
      ['completed', 'dead', false],
      ['completed', 'completed', true],
      ['completed', 'completed', true],
    ],
  )
  const invoices = payments.map((payment: any) => payment.invoice)
  expect(refusal).toEqual({
    invoice: invoices[0],
    constraint: 'payments_invoice_unique',
    enqueued: 2,
    jobsLeft: 0,
    paymentsLeft: 0,
  })
  expect(await rows(`SELECT FROM drizzle_shop.payments WHERE invoice LIKE $1`, [`${invoices[0]}-%`])).toEqual(
    [],
  )

  // Killed in its first attempt, and done in the second one, by another process: every posting is of that attempt.
  expect(crash).toMatchObject({
    invoice: invoices[0],
    postings: 0,
    job: { status: 'processing', attempts: 1 },
  })
  expect(ledger).toEqual({ postings: 10, balance: 0, duplicated: 0 })
  const postings = await rows(
    `SELECT posting.account, posting.amount_minor, posting.attempt, posting.job_id
     FROM drizzle_shop.postings AS posting JOIN drizzle_shop.payments AS payment ON payment.id = posting.payment_id
     WHERE payment.invoice = $1 ORDER BY posting.account`,
    [crash.invoice],
  )
  expect(postings).toEqual([
    { account: 'bank', amount_minor: 4_200, attempt: 2, job_id: crash.job.id },
    { account: 'sales', amount_minor: -4_200, attempt: 2, job_id: crash.job.id },
  ])
  const [job] = await rows(`SELECT status, attempts, crashes FROM pgq.jobs WHERE id = $1`, [crash.job.id])
  expect(job).toEqual({ status: 'completed', attempts: 2, crashes: 1 })

  expect(deadReceipts).toEqual([
    {
      invoice: invoices[2],
      email: 'nobody@bounces.example',
      attempts: 2,
      error: '550 no mailbox here by the name of nobody@bounces.example',
      diedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    },
  ])
}

test('its migrations are those of its schema, and drizzle-kit leaves the queue alone', minute, async () => {
  await runExample(databaseUrl, '--json')
  const before = await rows(`SELECT count(*) FROM pgq.jobs`)
  const { stdout, stderr } = await runDrizzleKit(databaseUrl, 'push', '--force')
  expect(stdout + stderr).toContain('No changes detected')
  expect(await rows(`SELECT count(*) FROM pgq.jobs`)).toEqual(before)
})

test('it brings a database of its own when none is named, and tells its story', minute, async () => {
  const { code, stdout, stderr } = await runExample('')
  expect(code, stderr).toBe(0)
  expect(stdout).toContain(
    'The ledger has 10 postings of these payments, 0 of them made twice, and a balance of 0.',
  )
  expect(stdout).toMatch(/nobody@bounces\.example +│ 2 +│ 550 no mailbox here/)
})

test('--help explains, and an argument that nobody knows is refused', async () => {
  expect(await runExample('', '--help')).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringContaining('Usage'),
  })
  const { code, stdout, stderr } = await runExample('', '--jsno')
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain('unknown argument --jsno')
})

test('a database that is not there is said in a line', async () => {
  const { code, stdout, stderr } = await runExample('postgres://postgres@127.0.0.1:1/none', '--json')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain('The example failed: ')
  expect(stderr).toContain('ECONNREFUSED')
})
