import { expect, test } from 'vitest'
import { freshDatabase, startApp, until } from './support/app-process.ts'

interface Order {
  readonly id: string
  readonly invoices: readonly number[]
  readonly invoicing: string
}

const order = { customer: 'ada@example.com', item: 'loom', cents: 4_200 }

async function place(url: string, body: object = order): Promise<string> {
  const response = await fetch(`${url}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(201)
  return ((await response.json()) as { id: string }).id
}

async function find(url: string, id: string): Promise<Order> {
  return (await (await fetch(`${url}/orders/${id}`)).json()) as Order
}

function invoiced(url: string, id: string): Promise<Order> {
  return until(`order ${id} is invoiced`, async () => {
    const found = await find(url, id)
    return found.invoicing === 'completed' ? found : undefined
  })
}

test('in one process: an order is invoiced, and its customer told', { timeout: 60_000 }, async () => {
  const { url: DATABASE_URL, pool } = await freshDatabase()
  const shop = startApp({ DATABASE_URL, ROLE: 'all', PRINTING_MS: '10' })
  const url = await shop.url()
  const id = await place(url)
  expect((await invoiced(url, id)).invoices).toEqual([1])
  const mails = await until('the mail', async () => {
    const { rows } = await pool.query<{ recipient: string; body: string }>(
      'SELECT recipient, body FROM sent_mails',
    )
    return rows.length > 0 ? rows : undefined
  })
  expect(mails).toEqual([{ recipient: 'ada@example.com', body: 'Dear ada, Invoice 1 for your loom' }])
  await shop.wrote(/NotificationProcessor: shop\.notification \S+, attempt 1 is done/)
  const health = await fetch(`${url}/health`)
  expect(health.status).toBe(200)
  expect(await health.json()).toMatchObject({ details: { jobs: { status: 'up', worker: 'running' } } })
  shop.kill('SIGTERM')
  expect((await shop.exited).signal).toBe('SIGTERM')
})

test('bad requests are refused, and leave neither an order nor a job', { timeout: 60_000 }, async () => {
  const { url: DATABASE_URL, pool } = await freshDatabase()
  const url = await startApp({ DATABASE_URL, ROLE: 'api' }).url()
  const post = (body: string): Promise<Response> =>
    fetch(`${url}/orders`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect((await post(JSON.stringify({ ...order, cents: -1 }))).status).toBe(400)
  expect((await post(JSON.stringify({ ...order, cents: 3_000_000_000 }))).status).toBe(400)
  expect((await post(JSON.stringify({ ...order, item: 'a\0b' }))).status).toBe(400)
  expect((await post(JSON.stringify({ ...order, item: '\ud800' }))).status).toBe(400)
  expect((await post('{')).status).toBe(400)
  expect((await fetch(`${url}/orders/no-uuid`)).status).toBe(400)
  expect((await fetch(`${url}/orders/00000000-0000-4000-8000-000000000000`)).status).toBe(404)
  const { rows } = await pool.query(
    'SELECT (SELECT count(*)::int FROM orders) + (SELECT count(*)::int FROM pgq.jobs) AS n',
  )
  expect(rows).toEqual([{ n: 0 }])
})

test(
  'apart: a worker is killed in the middle of an invoice, and there is one in the end',
  { timeout: 90_000 },
  async () => {
    const { url: DATABASE_URL, pool } = await freshDatabase()
    const api = startApp({ DATABASE_URL, ROLE: 'api' })
    const url = await api.url()
    const id = await place(url)
    expect(await find(url, id)).toMatchObject({ invoicing: 'pending', invoices: [] })

    const first = startApp({ DATABASE_URL, ROLE: 'worker', LEASE: '1s', PRINTING_MS: '60000' })
    await first.wrote(/InvoiceProcessor: shop\.invoice \S+, attempt 1 begins/)
    await until('the invoice is written, and not committed', async () => {
      const { rows } = await pool.query<{ last: number | null }>(
        `SELECT pg_sequence_last_value(pg_get_serial_sequence('invoices', 'number'))::int AS last`,
      )
      return rows[0]?.last ?? undefined
    })
    first.kill('SIGKILL')
    await first.exited
    expect(await find(url, id)).toMatchObject({ invoicing: 'processing', invoices: [] })

    const second = startApp({ DATABASE_URL, ROLE: 'worker', LEASE: '1s', PRINTING_MS: '10' })
    expect((await invoiced(url, id)).invoices).toEqual([2]) // the number of the attempt that was killed is lost, as sequences do it
    await second.wrote(/NotificationProcessor: shop\.notification \S+, attempt 1 is done/)
    const { rows } = await pool.query('SELECT body FROM sent_mails')
    expect(rows).toEqual([{ body: 'Dear ada, Invoice 2 for your loom' }])
    expect(api.output).not.toContain('begins')
  },
)

test('SIGTERM lets the invoice be finished that is being written', { timeout: 60_000 }, async () => {
  const { url: DATABASE_URL } = await freshDatabase()
  const url = await startApp({ DATABASE_URL, ROLE: 'api' }).url()
  const worker = startApp({ DATABASE_URL, ROLE: 'worker', PRINTING_MS: '1000' })
  const id = await place(url)
  await worker.wrote(/shop\.invoice \S+, attempt 1 begins/)
  worker.kill('SIGTERM')
  expect((await worker.exited).signal).toBe('SIGTERM')
  expect(await find(url, id)).toMatchObject({ invoicing: 'completed', invoices: [1] })
  expect(worker.output).toMatch(/shop\.invoice \S+, attempt 1 is done/)
})

test('an API outlives connections that break under its transactions', { timeout: 90_000 }, async () => {
  const { url: DATABASE_URL, pool } = await freshDatabase()
  const api = startApp({ DATABASE_URL, ROLE: 'api' })
  const url = await api.url()
  const placed: string[] = []
  const over = new AbortController()
  const clients = Array.from({ length: 8 }, async () => {
    while (!over.signal.aborted) {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify(order) })
      const body = (await response.json()) as { id: string }
      if (response.status === 201) placed.push(body.id)
    }
  })
  try {
    for (let round = 1; round <= 6; round++) {
      const before = placed.length
      await until(`orders of round ${round}`, () => placed.length > before || undefined)
      await until('connections of the API are broken', async () => {
        const { rowCount } = await pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        )
        return (rowCount ?? 0) > 0 || undefined
      })
    }
  } finally {
    over.abort()
  }
  await Promise.all(clients)
  placed.push(await place(url))
  const { rows } = await pool.query(
    `SELECT count(orders.id)::int AS orders, count(job.id)::int AS jobs FROM unnest($1::uuid[]) AS placed (id)
     LEFT JOIN orders USING (id) LEFT JOIN pgq.jobs AS job ON job.payload ->> 'orderId' = placed.id::text`,
    [placed],
  )
  expect(rows).toEqual([{ orders: placed.length, jobs: placed.length }])
})

test('without a database the parts cannot meet', { timeout: 60_000 }, async () => {
  const api = startApp({ ROLE: 'api' })
  expect((await api.exited).code).toBe(1)
  expect(api.output).toContain('ROLE=api needs DATABASE_URL')
})
