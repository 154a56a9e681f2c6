import { randomUUID } from 'node:crypto'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { expect, test } from 'vitest'
import { type Example, json, startExample } from './support/example-process.ts'
import { breakableLink } from './support/breakable-link.ts'
import { freshDatabase } from './support/fresh-database.ts'
import { until } from '@pgq/test-support'

const year = new Date().getUTCFullYear()
const tea = { item: 'tea', quantity: 2 }
const key = (text: string): { headers: Record<string, string> } => ({ headers: { 'Idempotency-Key': text } })

/** Waits until a job has the status, and returns what it shows then. */
// oxlint-disable-next-line typescript/no-explicit-any -- as shown
const jobWith = (example: Example, path: string, status: string, withinMs?: number): Promise<any> =>
  until(
    `the job is ${status}`,
    async () => {
      const response = await example.request(path)
      const job = response.ok ? await json(response) : undefined
      return job?.status === status && job
    },
    withinMs,
  )

test('an order is taken once, fulfilled, and shown to its owner', async () => {
  const { url, sql } = await freshDatabase()
  const example = await startExample({ DATABASE_URL: url })
  const send = (): Promise<Response> => example.request('/orders', { body: tea, ...key('"order-1"') })
  const responses = await Promise.all(Array.from({ length: 20 }, send))
  const statuses = new Set(responses.map((response) => response.status))
  expect([...statuses].every((status) => status === 201 || status === 409)).toBe(true)
  const [first, again] = [responses.find((response) => response.status === 201), await send()]
  const order = await json(first as Response)
  expect(order).toMatchObject({ ...tea, owner: 'ada' })
  expect(first?.headers.get('Location')).toBe(`/orders/${order.id}`)
  expect([again.headers.get('Idempotent-Replayed'), await json(again)]).toEqual(['true', order])
  expect(await sql(`SELECT id FROM shop.orders`)).toEqual([{ id: order.id }])
  expect(await sql(`SELECT payload FROM pgq.jobs`)).toEqual([{ payload: { orderId: order.id } }])

  await until('it is fulfilled', async () => {
    const shown = await json(await example.request(`/orders/${order.id}`))
    return shown.fulfilment === 'completed' && shown.fulfilledAt !== null
  })
  expect((await example.request(`/orders/${order.id}`, { as: 'bob' })).status).toBe(404)
  expect((await example.request(`/orders/${randomUUID()}`)).status).toBe(404)
  expect((await example.request('/orders/nonsense')).status).toBe(404)
})

test('a report is accepted, followed and read', async () => {
  const { url } = await freshDatabase()
  const example = await startExample({ DATABASE_URL: url, MONTH_MS: '100' })
  await example.request('/orders', { body: tea, ...key('a') })
  await example.request('/orders', { body: { item: 'milk', quantity: 5 }, ...key('b') })
  await example.request('/orders', { as: 'bob', body: tea, ...key('a') })

  const accepted = await example.request('/reports', { body: { year } })
  expect(accepted.status).toBe(202)
  expect(accepted.headers.get('Retry-After')).toBe('2')
  const { id, links, report } = await json(accepted)
  expect(accepted.headers.get('Location')).toBe(`/jobs/${id}`)
  expect(links).toEqual({ self: `/jobs/${id}`, events: `/jobs/${id}/events` })

  // Foreign jobs are not there, in every way of asking.
  for (const path of [links.self, links.events, report]) {
    expect((await example.request(path, { as: 'bob' })).status).toBe(404)
    expect((await example.request(path, { as: 'nobody' })).status).toBe(401)
  }
  expect((await example.request(links.self, { as: 'bob', method: 'DELETE' })).status).toBe(404)

  const messages = await eventsOf(await example.request(links.events))
  const states = messages.slice(0, -1).map(({ data }) => JSON.parse(data))
  expect(messages.at(-1)).toMatchObject({ event: 'end' })
  const steps = states.map(({ progress }) => progress?.done ?? 0)
  expect(steps.length).toBeGreaterThan(3)
  expect(steps).toEqual(steps.toSorted((a, b) => a - b))
  expect(states.at(-1)).toMatchObject({ status: 'completed', result: { orders: 2, quantity: 7 } })
  const { lines } = await json(await example.request(report))
  expect(lines).toHaveLength(12)
  expect(lines[new Date().getUTCMonth()]).toMatchObject({ orders: 2, quantity: 7 })
  const late = await example.request(links.self, { method: 'DELETE' })
  expect([late.status, (await json(late)).job.status]).toEqual([409, 'completed'])
})

test('a report can be cancelled while it is built', async () => {
  const { url, sql } = await freshDatabase()
  const example = await startExample({ DATABASE_URL: url, MONTH_MS: '60000' })
  const { links } = await json(await example.request('/reports', { body: { year } }))
  await jobWith(example, links.self, 'processing')
  const cancelled = await example.request(links.self, { method: 'DELETE' })
  expect([cancelled.status, (await json(cancelled)).status]).toEqual([202, 'cancelled'])
  expect(await sql(`SELECT * FROM shop.report_lines`)).toEqual([])
  // Its handler has stopped: the worker would wait for it, for 20 s.
  const began = performance.now()
  example.kill('SIGTERM')
  expect(await example.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - began).toBeLessThan(15_000)
})

test('killed with SIGKILL in the middle of a report and started again, it builds the report, once', async () => {
  const { url, sql } = await freshDatabase()
  const first = await startExample({ DATABASE_URL: url, MONTH_MS: '150' })
  await first.request('/orders', { body: tea, ...key('a') })
  const { links, report } = await json(await first.request('/reports', { body: { year } }))
  await until('it is half-way', async () => {
    const { progress } = await json(await first.request(links.self))
    return (progress?.done ?? 0) >= 4
  })
  first.kill('SIGKILL')
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' })
  expect(await sql(`SELECT * FROM shop.report_lines`)).toEqual([])

  const second = await startExample({ DATABASE_URL: url })
  const done = await jobWith(second, links.self, 'completed', 30_000)
  expect(done.result).toMatchObject({ orders: 1, quantity: 2 })
  expect((await json(await second.request(report))).lines).toHaveLength(12)
  expect(await sql(`SELECT attempts, status FROM pgq.jobs WHERE queue_name = 'report.year'`)).toEqual([
    { attempts: 2, status: 'completed' },
  ])
  const replay = await second.request('/orders', { body: tea, ...key('a') })
  expect(replay.headers.get('Idempotent-Replayed')).toBe('true')
})

test('SIGTERM drains: the report that is being built is finished, and nothing else is begun', async () => {
  const { url, sql } = await freshDatabase()
  const example = await startExample({ DATABASE_URL: url, MONTH_MS: '100' })
  const { links } = await json(await example.request('/reports', { body: { year } }))
  await jobWith(example, links.self, 'processing')
  example.kill('SIGTERM')
  expect(await example.exited).toEqual({ code: 0, signal: null })
  const steps = [...example.output.matchAll(/^shutdown: (\w+)(.*)$/gm)].map(
    ([, step, more]) => `${step}${more}`,
  )
  expect(steps).toEqual(['readiness', 'claiming', 'streams', 'server', 'drain', 'close', 'pools'])
  expect(await sql(`SELECT status, attempts FROM pgq.jobs`)).toEqual([{ status: 'completed', attempts: 1 }])
  expect(await sql(`SELECT count(*)::int AS lines FROM shop.report_lines`)).toEqual([{ lines: 12 }])
})

test('the API and the worker may be processes of their own, and either may be away', async () => {
  const { url } = await freshDatabase()
  const [api, worker] = await Promise.all([
    startExample({ DATABASE_URL: url }, '--api'),
    startExample({ DATABASE_URL: url }, '--worker'),
  ])
  expect([api.output, worker.output]).toEqual([
    expect.stringContaining('(API)'),
    expect.stringContaining('(worker)'),
  ])
  expect(await json(await api.request('/readyz'))).toEqual({ status: 'ok', checks: { database: 'ok' } })
  const readiness = await json(await worker.request('/readyz'))
  expect(readiness).toEqual({ status: 'ok', checks: { database: 'ok', workers: 'ok' } })
  expect((await worker.request('/orders', { body: tea, ...key('a') })).status).toBe(404)

  const one = await json(await api.request('/reports', { body: { year } }))
  await jobWith(api, one.links.self, 'completed')
  worker.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  const two = await json(await api.request('/reports', { body: { year } }))
  expect(await json(await api.request(two.links.self))).toMatchObject({ status: 'pending' })
  await startExample({ DATABASE_URL: url }, '--worker')
  await jobWith(api, two.links.self, 'completed')
})

test('what is wrong is told, with the right status, and nothing is half done', async () => {
  const { url, sql } = await freshDatabase()
  const example = await startExample({ DATABASE_URL: url })
  const order = (body: unknown, more: object = key('k')): Promise<Response> =>
    example.request('/orders', { body, ...more })
  const answers: [string, Promise<Response>, number][] = [
    ['nobody', order(tea, { as: 'nobody', ...key('k') }), 401],
    ['no key', order(tea, {}), 400],
    ['a malformed key', order(tea, key('"open')), 400],
    ['no item', order({ quantity: 1 }), 422],
    ['too many', order({ item: 'tea', quantity: 1e9 }), 422],
    ['a NUL', order({ item: 'a\0b', quantity: 1 }), 422],
    ['half a character', order('{"item":"\\ud800","quantity":1}'), 422],
    [
      'a type that is not read',
      order(tea, { headers: { ...key('k').headers, 'Content-Type': 'text/plain' } }),
      422,
    ],
    ['no JSON', order('{"item":'), 400],
    ['a huge body', order({ item: 'x'.repeat(200_000), quantity: 1 }), 413],
    ['no job id', example.request('/jobs/nonsense'), 400],
    ['an unknown job', example.request(`/jobs/${randomUUID()}`), 404],
    ['a year of old', example.request('/reports', { body: { year: 1 } }), 422],
  ]
  for (const [what, answer, status] of answers) {
    const response = await answer
    expect(response.status, what).toBe(status)
    expect(response.headers.get('Content-Type'), what).toMatch('application/problem+json')
    expect(await response.text(), what).not.toMatch(/at .*\.js:\d|SELECT|INSERT/)
  }
  expect((await order(tea)).status).toBe(201)
  expect((await order({ ...tea, quantity: 3 })).status).toBe(422)
  expect(await sql(`SELECT quantity FROM shop.orders`)).toEqual([{ quantity: 2 }])
  expect(await sql(`SELECT count(*)::int AS jobs FROM pgq.jobs`)).toEqual([{ jobs: 1 }])
})

test('while the database is away the answer is 503, and it goes on when it is back; nobody reads SQL', async () => {
  const { url, sql } = await freshDatabase()
  const link = await breakableLink(url)
  const example = await startExample({ DATABASE_URL: link.url })
  const ask = async (path: string, body?: unknown): Promise<number> => {
    const response = await example.request(path, body === undefined ? {} : { body, ...key('k') })
    const text = await response.text()
    if (response.ok) return response.status
    expect(response.headers.get('Content-Type')).toMatch('application/problem+json')
    expect(text).not.toMatch(/at .*\.js:\d|select|insert|shop|ECONN/i)
    return response.status
  }
  await link.cut()
  const id = randomUUID()
  for (const [path, body] of [
    ['/orders', tea],
    ['/reports', { year }],
    [`/orders/${id}`, undefined],
    [`/reports/${id}`, undefined],
    [`/jobs/${id}`, undefined],
  ] as const) {
    expect(await ask(path, body), path).toBe(503)
  }
  expect((await example.request('/livez')).status).toBe(200)
  await link.mend()
  await until('it takes orders again', async () => (await ask('/orders', tea)) === 201)

  await sql(`ALTER TABLE shop.orders RENAME TO gone`)
  expect(await ask('/orders', { ...tea, quantity: 3 })).toBe(422)
  expect(await ask(`/orders/${id}`)).toBe(500)
  expect(example.output).toMatch(/relation "shop.orders" does not exist/)
})

test('without DATABASE_URL it brings its own PostgreSQL, and says how to try it', async () => {
  const example = await startExample({})
  const commands = await until('it says how', () => /^ {2}curl [^]*\/events$/m.exec(example.output)?.[0])
  expect(commands.split('\n').filter((line) => line.startsWith('  curl '))).toHaveLength(3)
  expect((await example.request('/orders', { body: tea, ...key('a') })).status).toBe(201)
  example.kill('SIGINT')
  expect(await example.exited).toEqual({ code: 0, signal: null })
})

test('what it is told wrongly is refused at once', async () => {
  await expect(startExample({ PORT: 'many' })).rejects.toThrow('PORT is "many": it must be a whole number')
  await expect(startExample({}, '--workers')).rejects.toThrow('unknown argument --workers')
})

async function eventsOf(response: Response): Promise<{ event?: string | undefined; data: string }[]> {
  expect(response.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8')
  const events = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
  const all = []
  for await (const event of events as unknown as AsyncIterable<{ event?: string; data: string }>)
    all.push(event)
  return all
}
