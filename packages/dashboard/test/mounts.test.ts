import http from 'node:http'
import express, { type RequestHandler } from 'express'
import { expect, test } from 'vitest'
import { dashboardMiddleware, type MountedRequest } from '../src/express.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { serve } from './support/serve.ts'
import { FROM_OUR_PAGE } from './support/visitor.ts'

/** Opens a dashboard as a browser does: the page, the files that it names, and a call of its script. Returns the base of the page. */
async function open(address: string): Promise<string> {
  const response = await fetch(address)
  expect(response.status).toBe(200)
  const html = await response.text()
  const base = new URL(/<base href="([^"]+)"/.exec(html)?.[1] ?? '', response.url)
  for (const [, path = ''] of html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)) {
    const file = await fetch(new URL(path, base))
    expect(file.status, path).toBe(200)
    await file.body?.cancel()
  }
  expect((await fetch(new URL('api/queues', base))).status).toBe(200)
  const pause = { method: 'POST', headers: FROM_OUR_PAGE, body: '{"name":"mails"}' }
  expect((await fetch(new URL('api/queues/pause', base), pause)).status).toBe(200)
  return base.pathname
}

const write = { authorize: () => 'write' as const }

test.each(['/', '/admin/jobs', '/a%20b/%C3%A4'])('Express mounts it at %s', async (path) => {
  const { pgq } = await freshQueue()
  const app = express()
  app.use(path, dashboardMiddleware(pgq, write))
  const url = await serve(app)
  const base = path === '/' ? '/' : `${path}/`
  expect(await open(url + path)).toBe(base)
  expect(await open(`${url}${base}jobs/some-id`)).toBe(base)
})

test('Express mounts it in routers of routers, behind parsers of bodies and a guard', async () => {
  const { pgq } = await freshQueue()
  const seen: string[] = []
  const guard: RequestHandler = (req, res, next) => {
    seen.push(req.path)
    if (req.headers.authorization === 'no') return void res.status(401).end()
    next()
  }
  const inner = express.Router().use('/jobs', dashboardMiddleware(pgq, write))
  const app = express().use(express.json(), express.urlencoded({ extended: true }), express.text())
  app.use('/admin', guard, inner)
  const url = await serve(app)
  expect(await open(`${url}/admin/jobs`)).toBe('/admin/jobs/')
  expect(seen.length).toBeGreaterThan(4)
  const refused = await fetch(`${url}/admin/jobs/`, { headers: { authorization: 'no' } })
  expect([refused.status, await refused.text()]).toEqual([401, ''])
})

test('authorize gets the request of Express, with what is in front of it has put there', async () => {
  const { pgq } = await freshQueue()
  interface UserRequest extends MountedRequest {
    user?: string
  }
  const app = express()
  app.use((req, _, next) => {
    Object.assign(req, { user: req.headers.authorization })
    next()
  })
  app.use(
    '/jobs',
    dashboardMiddleware<UserRequest>(pgq, { authorize: (_, req) => (req.user === 'ada' ? 'read' : 'none') }),
  )
  const url = await serve(app)
  const ask = async (authorization: string): Promise<number> =>
    (await fetch(`${url}/jobs/api/queues`, { headers: { authorization } })).status
  expect([await ask('ada'), await ask('bob')]).toEqual([200, 403])
})

test('it works behind a proxy that takes a part of the path away', async () => {
  const { pgq } = await freshQueue()
  const app = express()
  app.use('/jobs', dashboardMiddleware(pgq, write))
  const target = await serve(app)
  const proxy = await serve((req, res) => {
    const path = (req.url ?? '').replace(/^\/internal\/tools/, '')
    const { method, headers } = req
    const forwarded = http.request(target + path, { method: method ?? 'GET', headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    req.pipe(forwarded)
  })
  expect(await open(`${proxy}/internal/tools/jobs`)).toBe('/internal/tools/jobs/')
  expect(await open(`${proxy}/internal/tools/jobs/jobs/x`)).toBe('/internal/tools/jobs/')
})

test('nothing that a client sends makes it reject, which would end a process without a framework', async () => {
  const { pgq } = await freshQueue()
  const middleware = dashboardMiddleware(pgq, write)
  const failed: unknown[] = []
  const url = await serve(
    (req, res) => void middleware(req, res).catch((error: unknown) => failed.push(error)),
  )
  const { hostname, port } = new URL(url)
  const send = (
    method: string,
    path: string,
    headers: http.OutgoingHttpHeaders = {},
  ): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      http
        .request({ hostname, port, method, path, headers }, (res) => {
          res.resume()
          resolve(res.statusCode)
        })
        .on('error', reject)
        .end()
    })
  expect(await send('TRACE', '/')).toBe(400)
  expect(await send('GET', '*')).toBe(400)
  expect(await send('GET', '//evil.test/api/queues')).toBe(404)
  expect(await send('GET', 'http://evil.test/api/queues')).toBe(200)
  expect(await send('GET', '/api/jobs/%00')).toBe(400)
  expect(await send('GET', '/', { host: 'a b' })).toBe(200)
  expect(await send('GET', '/', { cookie: '\u00ff' })).toBe(200)
  expect(await send('HEAD', '/')).toBe(200)
  expect(await send('PROPFIND', '/')).toBe(405)
  expect(await send('OPTIONS', '/api/jobs')).toBe(405)
  expect(failed).toEqual([])
})

test('a response of authorize is sent whole, with all of its cookies', async () => {
  const { pgq } = await freshQueue()
  const cookies = new Headers([
    ['WWW-Authenticate', 'Basic'],
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
  ])
  const authorize = (): Response => new Response('go away', { status: 401, headers: cookies })
  const url = await serve(dashboardMiddleware(pgq, { authorize }))
  const response = await fetch(url)
  expect([response.status, response.headers.get('www-authenticate'), await response.text()]).toEqual([
    401,
    'Basic',
    'go away',
  ])
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
})
