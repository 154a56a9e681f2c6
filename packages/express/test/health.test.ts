import { once } from 'node:events'
import net from 'node:net'
import { createPgq, defineQueue, handle, type Worker } from '@pgq/core'
import { startPostgres } from '@pgq/embedded-postgres'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { healthRouter, type HealthOptions } from '../src/index.ts'
import { lifecycleOf } from '../src/lifecycle.ts'
import { cleanUpAfterwards, countingPool, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { appWith, bodyOf, serve } from './support/serve.ts'

const { pgq, schema } = await freshQueue()
const handlers = [handle(defineQueue('idle'), async () => {})]

test('a process that works is alive and ready', async () => {
  const worker = await work(pgq, handlers)
  const { request } = await serve(appWith(healthRouter(pgq, { workers: [worker] })))
  for (const [path, body] of [
    ['/livez', { status: 'ok' }],
    ['/readyz', { status: 'ok', checks: { database: 'ok', workers: 'ok' } }],
  ] as const) {
    const response = await request(path)
    expect([response.status, response.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    expect(await response.json()).toEqual(body)
  }
})

test('a worker that does not run makes it unready, and not dead', async () => {
  const worker = pgq.createWorker(handlers)
  const { request } = await serve(appWith(healthRouter(pgq, { workers: [worker] })))
  const readiness = async (): Promise<unknown[]> => {
    const response = await request('/readyz')
    return [response.status, (await bodyOf(response)).checks.workers]
  }
  expect(await readiness()).toEqual([503, 'stopped'])
  await worker.start()
  expect(await readiness()).toEqual([200, 'ok'])
  await worker.stop()
  expect(await readiness()).toEqual([503, 'stopped'])
  expect((await request('/livez')).status).toBe(200)
})

test('a worker whose claims hang is not live, though the process answers and the lease is renewed', async () => {
  const own = await freshQueue()
  const worker = await work(own.pgq, handlers, { lease: '2s' })
  const { request } = await serve(appWith(healthRouter(own.pgq, { workers: [worker], stalledAfter: '1s' })))
  expect((await request('/livez')).status).toBe(200)
  const blocker = await own.pool.connect()
  await blocker.query('BEGIN')
  await blocker.query(`LOCK TABLE ${own.schema}.jobs_waiting IN ACCESS EXCLUSIVE MODE`)
  await until('it is noticed', async () => (await request('/livez')).status === 503)
  const response = await request('/livez')
  expect(await response.json()).toEqual({
    type: 'urn:problem-type:pgq:not-live',
    title: 'Not live',
    status: 503,
    checks: { workers: 'stalled' },
  })
  expect(worker.status).toBe('running')
  await blocker.query('ROLLBACK')
  blocker.release()
  await until('it is live again', async () => (await request('/livez')).status === 200)
})

test('a database that goes away and comes back takes readiness with it, and the worker pauses', async () => {
  const postgres = await startPostgres()
  const own = createPgq({ connectionString: postgres.url })
  const worker = own.createWorker(handlers, { lease: '1s', shutdownTimeout: 0 })
  cleanUpAfterwards(async () => {
    await own.close()
    await postgres.stop()
  })
  await own.migrate()
  await worker.start()
  const { request } = await serve(
    appWith(healthRouter(own, { workers: [worker], cacheFor: 50, stalledAfter: '1s' })),
  )
  const checks = async (): Promise<unknown> => JSON.stringify((await bodyOf(await request('/readyz'))).checks)
  expect(await checks()).toBe('{"database":"ok","workers":"ok"}')
  await postgres.kill()
  await until(
    'it is noticed',
    async () => (await checks()) === '{"database":"unavailable","workers":"paused"}',
  )
  expect((await request('/readyz')).status).toBe(503)
  expect((await request('/livez')).status).toBe(200)
  await postgres.restart('fast')
  await until('it is back', async () => (await request('/readyz')).status === 200)
})

test.for(['starting', 'stopping'] as const)('a worker that is %s is not ready', async (status) => {
  const worker = { status, stop: async () => {} } as Worker
  const { request } = await serve(appWith(healthRouter(pgq, { workers: [worker] })))
  const response = await request('/readyz')
  expect(response.status).toBe(503)
  expect(response.headers.get('Content-Type')).toMatch('application/problem+json')
  expect(await response.json()).toEqual({
    type: 'urn:problem-type:pgq:not-ready',
    title: 'Not ready',
    status: 503,
    checks: { database: 'ok', workers: status },
  })
})

test('a process that shuts down is not ready, and does not ask the database any more', async () => {
  const { pool, asked } = countingPool(inject('databaseUrl'))
  const ending = createPgq({ pool })
  const { request } = await serve(appWith(healthRouter(ending)))
  lifecycleOf(ending).beginEnding()
  const response = await request('/readyz')
  expect(response.status).toBe(503)
  expect(await response.json()).toMatchObject({ checks: { shutdown: 'in progress' } })
  expect((await request('/livez')).status).toBe(200)
  expect(asked()).toBe(0)
})

test('a schema that is not there makes it unready', async () => {
  const bare = createPgq({ connectionString: inject('databaseUrl'), schema: 'never_migrated' })
  const { request } = await serve(appWith(healthRouter(bare)))
  const response = await request('/readyz')
  expect([response.status, await bodyOf(response)]).toMatchObject([
    503,
    { checks: { database: 'unavailable' } },
  ])
  await bare.close()
})

test('a thousand probes are a few questions to the database', async () => {
  const fresh = await freshQueue()
  const { pool, asked } = countingPool(inject('databaseUrl'))
  const counted = createPgq({ pool, schema: fresh.schema })
  const { request } = await serve(appWith(healthRouter(counted, { cacheFor: '1m' })))
  await request('/readyz')
  const atFirst = asked()
  expect(atFirst).toBeGreaterThan(0)
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 50 }, () => request('/readyz').then((response) => response.text())),
    )
  }
  expect(asked()).toBe(atFirst)
})

test('a database that does not answer costs an answer in time and one connection, however often one asks', async () => {
  const sockets = new Set<net.Socket>()
  const silent = net.createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1')
  cleanUpAfterwards(async () => {
    for (const socket of sockets) socket.destroy()
    silent.close()
    await hanging.close()
  })
  await once(silent, 'listening')
  const { port } = silent.address() as net.AddressInfo
  const hanging = createPgq({ connectionString: `postgres://x@127.0.0.1:${port}/x` })
  const { request } = await serve(appWith(healthRouter(hanging, { timeout: '1s', cacheFor: 0 })))
  const started = performance.now()
  const probes = await Promise.all(Array.from({ length: 20 }, () => request('/readyz')))
  await request('/readyz')
  expect(performance.now() - started).toBeLessThan(5_000) // the driver alone would wait for 10 s
  expect(probes.map((response) => response.status)).toEqual(Array(20).fill(503))
  expect(sockets.size).toBe(1)
})

test('a question that hangs for ever is given up, and asked again, some times', async () => {
  const sockets = new Set<net.Socket>()
  const silent = net.createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1')
  cleanUpAfterwards(async () => {
    for (const socket of sockets) socket.destroy()
    silent.close()
    await pool.end()
  })
  await once(silent, 'listening')
  const { port } = silent.address() as net.AddressInfo
  const pool = new pg.Pool({ connectionString: `postgres://x@127.0.0.1:${port}/x`, max: 20 })
  pool.on('error', () => {})
  const { request } = await serve(
    appWith(healthRouter(createPgq({ pool }), { timeout: '20ms', cacheFor: 0 })),
  )
  await until('it is asked again', async () => {
    await request('/readyz')
    return sockets.size >= 4
  })
  for (let probe = 0; probe < 20; probe++) expect((await request('/readyz')).status).toBe(503)
  expect(sockets.size).toBe(4)
})

test('connections that are dead and do not say so do not take readiness with them', async () => {
  const target = new URL(inject('databaseUrl'))
  const links: { isDead: boolean; readonly sockets: readonly net.Socket[] }[] = []
  const proxy = net.createServer((client) => {
    const server = net.connect(Number(target.port), target.hostname)
    const link = { isDead: false, sockets: [client, server] }
    links.push(link)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('error', () => {})
      from.on('data', (chunk) => void (link.isDead || to.write(chunk)))
      from.on('close', () => void (link.isDead || to.destroy()))
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String((proxy.address() as net.AddressInfo).port)
  const pool = new pg.Pool({ connectionString: url.href })
  pool.on('error', () => {})
  cleanUpAfterwards(async () => {
    for (const { sockets } of links) for (const socket of sockets) socket.destroy()
    proxy.close()
    await pool.end()
  })
  const own = createPgq({ pool, schema })
  const { request } = await serve(appWith(healthRouter(own, { timeout: '1s', cacheFor: 20 })))
  await Promise.all([pool.query('SELECT pg_sleep(0.05)'), pool.query('SELECT pg_sleep(0.05)')])
  expect((await request('/readyz')).status).toBe(200)
  expect(links).toHaveLength(2)
  for (const link of links) link.isDead = true
  await until('it is noticed', async () => (await request('/readyz')).status === 503)
  await until('it is ready again', async () => (await request('/readyz')).status === 200)
})

test.for([
  [{ worker: [] }, /no option "worker"/],
  [{ timeout: 0 }, /^timeout is 0/],
  [{ workers: pgq.createWorker(handlers) }, /^workers is a Worker: it must be an array/],
  [{ workers: [{}] }, /^workers\[0\] is an object: it must be what pgq.createWorker/],
  [{ cacheFor: '1h' }, /^cacheFor is "1h"/],
  [{ stalledAfter: 10 }, /^stalledAfter is 10/],
] as const)('options are checked: %j', ([options, message]) => {
  expect(() => healthRouter(pgq, options as unknown as HealthOptions)).toThrow(message)
})
