import { defineQueue } from '@pgq/core'
import { expect, test } from 'vitest'
import { dashboard } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { FROM_OUR_PAGE, ORIGIN, visit } from './support/visitor.ts'

const { pgq } = await freshQueue()

/** What stands on whatever the dashboard says, whoever asks and however it goes. */
const SAFE_HEADERS = {
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}
const POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'connect-src': "'self'",
  'img-src': 'data:',
  'base-uri': "'self'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
  'require-trusted-types-for': "'script'",
}

function expectSafe(response: Response, what: string): void {
  expect.soft(Object.fromEntries(response.headers), what).toMatchObject(SAFE_HEADERS)
  const policy = (response.headers.get('content-security-policy') ?? '').split('; ')
  expect
    .soft(Object.fromEntries(policy.map((directive) => directive.split(/ (.*)/).slice(0, 2))), what)
    .toEqual(POLICY)
}

test('every answer forbids frames, guesses of its type, and any script but its own', async () => {
  const { get, post } = visit(pgq)
  for (const path of ['', 'jobs', 'api/queues', 'api/nothing', 'nothing', 'api/jobs?status=x', 'api/live']) {
    const response = await get(path)
    expectSafe(response, path)
    await response.body?.cancel()
  }
  expectSafe(await post('api/queues/pause', { name: 'q' }), 'an action')
  expectSafe(await visit(pgq, { authorize: () => 'none' }).get(''), 'a refusal')
  expectSafe(
    await visit(pgq, { authorize: () => 'none' }).get('', { accept: 'text/html' }),
    'a page that refuses',
  )
  expectSafe(await visit(pgq, { authorize: () => ({}) as never }).get(''), 'trouble')
})

test('nothing is kept by caches but the files, whose names change with what is in them', async () => {
  const { get } = visit(pgq)
  const html = await get('')
  expect(html.headers.get('cache-control')).toBe('no-store')
  expect((await get('api/queues')).headers.get('cache-control')).toBe('no-store')
  for (const [, path = ''] of (await html.text()).matchAll(/(?:src|href)="(assets\/[^"]+)"/g)) {
    const response = await get(path, { 'accept-encoding': 'br, gzip' })
    expect(response.headers.get('cache-control')).toBe('private, max-age=31536000, immutable')
    expect([response.headers.get('content-encoding'), response.headers.get('vary')]).toEqual([
      'gzip',
      'Accept-Encoding',
    ])
    const plain = await get(path)
    expect(plain.headers.get('content-encoding')).toBeNull()
    const unpacked = new Response(response.body?.pipeThrough(new DecompressionStream('gzip')))
    expect(await unpacked.text()).toBe(await plain.text())
  }
})

test.each<[string, Record<string, string>, status: number]>([
  ['from our page', { 'sec-fetch-site': 'same-origin' }, 200],
  ['from our page, in a browser that does not say where from', { origin: ORIGIN }, 200],
  ['from our page, behind a proxy that does the encryption', { origin: 'https://shop.test' }, 200],
  ['from a program', {}, 200],
  ['from another site', { 'sec-fetch-site': 'cross-site' }, 403],
  ['from another application on the same site', { 'sec-fetch-site': 'same-site' }, 403],
  ['from the address bar', { 'sec-fetch-site': 'none' }, 403],
  ['from another origin, in a browser that does not say where from', { origin: 'https://evil.test' }, 403],
  ['from somebody who hides it', { origin: 'null' }, 403],
  ['without the header of our script', { 'x-pgq-dashboard': undefined as never }, 403],
  ['as a form would send it', { 'content-type': 'text/plain' }, 403],
])('a request to act %s', async (title, headers, status) => {
  const handler = dashboard(pgq, { authorize: () => 'write' })
  const given = Object.entries({ ...FROM_OUR_PAGE, ...headers }).filter(([, value]) => value !== undefined)
  const sent = new Headers(given.map(([name, value]) => [name, value]))
  const init = { method: 'POST', headers: sent, body: JSON.stringify({ name: title }) }
  const response = await handler(new Request(`${ORIGIN}/api/queues/pause`, init))
  expect(response.status).toBe(status)
  const isPaused = (await pgq.queues()).some(({ queue, pausedAt }) => queue === title && pausedAt !== null)
  expect(isPaused).toBe(status === 200)
})

test('names and titles are escaped in the page', async () => {
  const hostile = `</title><script>alert(1)</script>"'&`
  const { get } = visit(pgq, { title: hostile, authorize: () => ({ access: 'read', actor: hostile }) })
  const html = await (await get('')).text()
  expect(html).not.toContain('<script>')
  expect(html.match(/<script/g)).toHaveLength(1)
  expect(html).toContain('<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;</title>')
  expect(html).not.toMatch(/\s(?:style|on\w+)=/)
})

test.each([
  ['no JSON', 'nonsense', 400],
  ['a list', '[]', 400],
  ['an action that there is not', '{"action":"obliterate","ids":[]}', 400],
  ['neither ids nor a filter', '{"action":"delete"}', 400],
  ['ids that are not text', '{"action":"delete","ids":[1]}', 400],
  ['ids that are none', '{"action":"delete","ids":["x"]}', 400],
  ['a filter that is none', '{"action":"delete","filter":[]}', 400],
  ['a condition that there is not', '{"action":"delete","filter":{"queu":"mails"}}', 400],
  ['a condition of another type', '{"action":"delete","filter":{"queue":{"a":1}}}', 400],
  ['no condition at all', '{"action":"delete","filter":{}}', 400],
  ['more than a page would send', JSON.stringify({ action: 'delete', ids: ['x'.repeat(300_000)] }), 413],
])('a request to delete with %s deletes nothing', async (_, body, status) => {
  await pgq.enqueue(defineQueue('mails'), 1)
  const before = await pgq.counts()
  const handler = dashboard(pgq, { authorize: () => 'write' })
  const response = await handler(
    new Request(`${ORIGIN}/api/jobs`, { method: 'POST', headers: FROM_OUR_PAGE, body }),
  )
  expect(response.status).toBe(status)
  expect(await response.json()).toMatchObject({ title: expect.any(String) })
  expect(await pgq.counts()).toEqual(before)
})

test('what is no address of it is not found, and what is asked wrongly is said to be', async () => {
  const { get, post, handler } = visit(pgq)
  for (const path of [
    'x',
    'assets/app.js',
    'queues/mails',
    'api',
    'api/x',
    'api/jobs/a/b',
    '../../etc/passwd',
    'jobs/a/b',
  ])
    expect.soft((await get(path)).status, path).toBe(404)
  expect((await get('api/jobs/no-id')).status).toBe(400)
  expect((await get('api/jobs/%')).status).toBe(400)
  expect((await get('api/jobs/00000000-0000-7000-8000-000000000000')).status).toBe(404)
  expect((await get('api/history?since=1y')).status).toBe(400)
  expect((await get('api/jobs?after=yesterday')).status).toBe(400)
  expect((await get('api/jobs?payload=%7Bbroken')).status).toBe(400)
  expect((await get('api/jobs?cursor=x')).status).toBe(400)
  expect((await post('api/schedules/run', { name: 'none' })).status).toBe(404)
  expect((await post('api/queues/pause', { name: '' })).status).toBe(400)
  const put = await handler(new Request(`${ORIGIN}/admin/jobs/api/jobs`, { method: 'PUT' }))
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST'])
  expect((await post('jobs')).headers.get('allow')).toBe('GET, HEAD')
  expect((await handler(new Request(`${ORIGIN}/admin/jobsx`))).status).toBe(404)
  expect((await handler(new Request(`${ORIGIN}/other`))).status).toBe(404)
})

test('without a slash at its end it sends people to the one with it', async () => {
  const response = await visit(pgq).handler(new Request(`${ORIGIN}/admin/jobs?x=1`))
  expect([response.status, response.headers.get('location')]).toEqual([308, 'jobs/?x=1'])
})

test.each(['admin', '/admin?x', '/a b', '', 7])('a base path like %j is refused', async (basePath) => {
  expect(() => visit(pgq, { basePath: basePath as never })).toThrow(/basePath/)
})

test('what goes wrong in the database is not told to who asks', async () => {
  const { pgq: broken, sql, schema } = await freshQueue()
  const errors: string[] = []
  broken.events.on('error', ({ where }) => errors.push(where))
  const { get } = visit(broken)
  await sql(`ALTER TABLE ${schema}.queue_minutes RENAME TO elsewhere`)
  const response = await get('api/history')
  expect([response.status, await response.json()]).toEqual([
    500,
    { title: 'Something went wrong.', code: expect.any(String) },
  ])
  expect(errors).toEqual(['the dashboard'])
  await broken.close()
  expect((await get('api/queues')).status).toBe(503)
})

test('options that it does not know, and something else than a queue, are refused', async () => {
  expect(() => visit(pgq, { authorise: 1 } as never)).toThrow(/authorise/)
  expect(() => dashboard({} as never, { authorize: () => 'read' })).toThrow(/createPgq/)
  expect(() => visit(pgq, { redact: 'x' as never })).toThrow(/redact/)
  expect(() => visit(pgq, { search: 'none' as never })).toThrow(/search/)
})
