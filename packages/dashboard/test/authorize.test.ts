import { isDeepStrictEqual } from 'node:util'
import { defineQueue, schedule } from '@pgq/core'
import { describe, expect, test } from 'vitest'
import { type Access, type AuditEvent, dashboard } from '../src/index.ts'
import { ROUTES } from '../src/routes.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { ORIGIN, visit } from './support/visitor.ts'

/** For tests that change nothing. */
const untouched = await freshQueue()

/** Everything that can be asked for. */
const pages = ['', 'queue?name=mails', 'jobs', 'jobs?status=dead', 'workers', 'schedules', 'dead']
const calls = (id: string): string[] => [
  `jobs/${id}`,
  'api/queues',
  'api/history?since=1h',
  'api/jobs',
  'api/jobs/count?status=pending',
  `api/jobs/${id}`,
  'api/workers',
  'api/schedules',
  'api/dead',
  'api/live',
]
/** Everything that can be done, and what the audit is told of it. */
const actions = (ids: Record<string, string>): [path: string, body: object, told: object][] => [
  ['api/jobs', { action: 'retry', ids: [ids['dead']] }, { action: 'jobs.retry', ids: [ids['dead']] }],
  [
    'api/jobs',
    { action: 'cancel', filter: { queue: 'cancel' } },
    { action: 'jobs.cancel', filter: { queue: 'cancel' } },
  ],
  [
    'api/jobs',
    { action: 'redrive', filter: { queue: 'redrive' } },
    { action: 'jobs.redrive', filter: { queue: 'redrive' } },
  ],
  ['api/jobs', { action: 'delete', ids: [ids['waiting']] }, { action: 'jobs.delete', ids: [ids['waiting']] }],
  ['api/queues/pause', { name: 'mails' }, { action: 'queue.pause', name: 'mails' }],
  ['api/queues/resume', { name: 'mails' }, { action: 'queue.resume', name: 'mails' }],
  ['api/schedules/run', { name: 'nightly' }, { action: 'schedule.run', name: 'nightly' }],
  ['api/schedules/pause', { name: 'nightly' }, { action: 'schedule.pause', name: 'nightly' }],
  ['api/schedules/resume', { name: 'nightly' }, { action: 'schedule.resume', name: 'nightly' }],
]

/** A queue with something that each action could change. */
async function prepare(): Promise<FreshQueue & { readonly ids: Record<string, string> }> {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const mails = defineQueue('mails')
  const { id: waiting } = await pgq.enqueue(mails, 1)
  await pgq.enqueue(defineQueue('cancel'), 1)
  const [dead] = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, completed_at) VALUES ('mails', 'dead', now()), ('redrive', 'dead', now()) RETURNING id`,
  )
  await pgq.schedules.upsert(schedule(mails, { every: '1d' }, 1, { name: 'nightly' }))
  return { ...fresh, ids: { waiting, dead: dead.id } }
}

async function state({ sql, schema }: FreshQueue): Promise<unknown> {
  return {
    jobs: await sql(`SELECT id, status, fence FROM ${schema}.jobs ORDER BY id`),
    queues: await sql(`SELECT name, paused_at FROM ${schema}.queues ORDER BY name`),
    schedules: await sql(`SELECT name, paused_at FROM ${schema}.schedules ORDER BY name`),
  }
}

test('the lists of this file leave no route out', () => {
  const id = '00000000-0000-7000-8000-000000000000'
  const asked = [
    ...calls(id).map((path) => ['GET', path.split('?')[0]]),
    ...actions({}).map(([path]) => ['POST', path]),
  ]
  for (const { method, path } of ROUTES) {
    const isAsked = asked.some(([verb, address = '']) => verb === method && path.test(address))
    expect(isAsked, `${method} ${String(path)}`).toBe(true)
  }
})

test.each([[undefined], [{}], [{ authorize: true }], [{ authorize: 'write' }]])(
  'there is no dashboard without a function that says who may what: %j',
  async (options) => {
    const { pgq } = untouched
    expect(() => dashboard(pgq, options as never)).toThrow(/authorize/)
  },
)

describe.each<[Access, get: number, post: number]>([
  ['none', 403, 403],
  ['read', 200, 403],
  ['write', 200, 200],
])('somebody who may %s', (access, get, post) => {
  test('asks for everything', async () => {
    const { pgq, ids } = await prepare()
    const visitor = visit(pgq, { authorize: () => access })
    const html = await (await visit(pgq).get('')).text()
    const assets = [...html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, path = '']) => path)
    expect(assets).toHaveLength(2)
    for (const path of [...pages, ...calls(ids['dead'] ?? ''), ...assets]) {
      const response = await visitor.get(path)
      expect.soft(response.status, path).toBe(get)
      await response.body?.cancel()
    }
  })

  test('does everything, and the audit is told what and by whom', async () => {
    const fresh = await prepare()
    const told: AuditEvent[] = []
    const { post: send } = visit(fresh.pgq, {
      authorize: () => ({ access, actor: 'ada' }),
      audit: (event) => told.push(event),
    })
    for (const [path, body, event] of actions(fresh.ids)) {
      const before = await state(fresh)
      told.length = 0
      const response = await send(path, body)
      expect.soft(response.status, `${path} ${JSON.stringify(body)}`).toBe(post)
      const outcome = access === 'write' ? 'done' : 'refused'
      expect.soft(told).toMatchObject(access === 'none' ? [] : [{ ...event, actor: 'ada', outcome }])
      expect.soft(isDeepStrictEqual(await state(fresh), before)).toBe(access !== 'write')
    }
  })
})

test.each([
  ['an error', () => Promise.reject(new Error('the directory is down'))],
  ['nothing', () => undefined],
  ['true', () => true],
  ['a word that it does not know', () => 'admin'],
  ['an access that it does not know', () => ({ access: 'root' })],
])('where authorize answers with %s nobody gets in, and nobody is told why', async (_, authorize) => {
  const { pgq } = await freshQueue()
  const errors: unknown[] = []
  pgq.events.on('error', ({ where, error }) => errors.push([where, String(error)]))
  const { get, post } = visit(pgq, { authorize: authorize as never })
  for (const response of [
    await get(''),
    await get('api/queues'),
    await post('api/queues/pause', { name: 'q' }),
  ]) {
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({ title: 'It could not be found out what you may do.' })
  }
  expect(errors).toEqual(Array.from({ length: 3 }, () => ['the dashboard', expect.any(String)]))
})

test('authorize may send people somewhere else, such as to the login', async () => {
  const { pgq } = untouched
  const { get } = visit(pgq, {
    authorize: () => new Response(null, { status: 303, headers: { Location: '/login' } }),
  })
  const response = await get('')
  expect([response.status, response.headers.get('location')]).toEqual([303, '/login'])
})

test('authorize is asked for every request, and gets it', async () => {
  const { pgq } = untouched
  const seen: string[] = []
  const { get } = visit(pgq, {
    authorize: (request) => {
      seen.push(new URL(request.url).pathname)
      return request.headers.get('cookie') === 'admin' ? 'write' : 'none'
    },
  })
  expect((await get('api/queues', { cookie: 'admin' })).status).toBe(200)
  expect((await get('api/queues')).status).toBe(403)
  expect(seen).toEqual(['/admin/jobs/api/queues', '/admin/jobs/api/queues'])
})

test('people who may see nothing get a page that says so', async () => {
  const { pgq } = untouched
  const { get } = visit(pgq, { authorize: () => 'none', title: '<Shop>' })
  const response = await get('', { accept: 'text/html,*/*' })
  expect([response.status, response.headers.get('content-type')]).toEqual([403, 'text/html; charset=utf-8'])
  expect(await response.text()).toContain('<h1>&lt;Shop&gt;</h1><p>You may not see this.</p>')
})

test('a context that the handler is called with is what authorize gets', async () => {
  const { pgq } = untouched
  const handler = dashboard<{ user: string }>(pgq, {
    authorize: (_, { user }) => (user === 'ada' ? 'read' : 'none'),
  })
  const ask = async (user: string): Promise<number> =>
    (await handler(new Request(`${ORIGIN}/api/queues`), { user })).status
  expect([await ask('ada'), await ask('bob')]).toEqual([200, 403])
})
