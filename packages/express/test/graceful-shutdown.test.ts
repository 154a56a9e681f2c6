import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPgq, defineQueue, handle, type Worker } from '@pgq/core'
import { startPostgres } from '@pgq/embedded-postgres'
import { describe, expect, test } from 'vitest'
import { gracefulShutdown, type ShutdownOptions, type ShutdownStep } from '../src/index.ts'
import { type ApiProcess, startApi } from './support/api-process.ts'
import { follow } from './support/event-source.ts'
import { cleanUpAfterwards, until } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { appWith, serve } from './support/serve.ts'

const { pgq, schema, databaseUrl, pool } = await freshQueue()
const idleWorker = pgq.createWorker([handle(defineQueue('idle'), async () => {})])
const slow = defineQueue('slow')

type Options = Omit<Parameters<typeof startApi>[0], 'url' | 'schema'>
const start = (options: Options = {}): Promise<ApiProcess> =>
  startApi({ url: databaseUrl, schema, ...options })

/** How long the process lives on: it must end within the time. */
async function exitsWithin(ms: number, api: ApiProcess): Promise<number | null> {
  const late = sleep(ms).then(() => {
    throw new Error(`it still runs after ${ms} ms: ${JSON.stringify(api.lines)} ${api.complaint}`)
  })
  const { code, signal } = await Promise.race([api.exited, late])
  expect(signal).toBe(null)
  return code
}

/** A connection that lives as long as the server lets it. */
async function connect(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  cleanUpAfterwards(async () => void socket.destroy())
  return socket
}

/** Sends a request on a connection, and returns what comes back until there is a gap. */
async function ask(socket: net.Socket, method: string, path: string): Promise<string> {
  let text = ''
  const collect = (chunk: Buffer): void => void (text += chunk.toString())
  socket.on('data', collect)
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`)
  await until('an answer', () => text.includes('\r\n\r\n') || socket.closed)
  socket.off('data', collect)
  return text
}

test('the order, with a request, a job, a stream and idle connections under way', async () => {
  const api = await start({ shutdown: { readinessDelay: 2_500 } })
  const { id } = await pgq.enqueue(slow, {})
  await api.said('job.begun')
  const stream = await follow(`${api.url}/jobs/${id}/events`)
  await stream.message('the snapshot', () => true)
  const idle = await connect(api.port)
  expect(await ask(idle, 'GET', '/quick')).toMatch('Connection: keep-alive')
  const unused = await connect(api.port)
  const busy = await connect(api.port)
  const answer = ask(busy, 'POST', '/slow')
  await api.said('request.begun')

  api.kill('SIGTERM')
  await api.said('claiming')
  // Load balancers have not heard of it yet: requests are still taken, and answered.
  const readiness = await fetch(`${api.url}/readyz`)
  expect(readiness.status).toBe(503)
  expect(await readiness.json()).toMatchObject({ checks: { shutdown: 'in progress' } })
  expect((await fetch(`${api.url}/livez`)).status).toBe(200)
  expect((await fetch(`${api.url}/quick`)).status).toBe(200)
  const lateStream = await follow(`${api.url}/jobs/${id}/events`)
  await lateStream.message('the snapshot', () => true)
  const { id: later } = await pgq.enqueue(slow, {})
  expect(stream.isOver).toBe(false)

  await stream.ended()
  await lateStream.ended()
  expect(stream.messages).toHaveLength(1) // and no `end`: the job goes on, and the client looks for it elsewhere
  await until('idle connections are closed', () => idle.closed && unused.closed)
  await expect(fetch(`${api.url}/livez`)).rejects.toThrow('fetch failed')
  expect(busy.closed).toBe(false)

  api.tell('finish request')
  const text = await answer
  expect(text).toMatch(/^HTTP\/1\.1 202 Accepted\r\n/)
  expect(text).toMatch('Connection: close')
  await until('it is closed', () => busy.closed)
  await api.said('server')
  expect(api.types).not.toContain('drain')

  api.tell('finish job')
  expect(await exitsWithin(10_000, api)).toBe(0)
  expect(api.types).toEqual([
    'listening',
    'job.begun',
    'request.begun',
    'readiness',
    'claiming',
    'streams',
    'request.done',
    'server',
    'job.done',
    'drain',
    'close',
    'pools',
    'exit',
  ])
  expect(api.lines.filter((line) => line.late === true || line.error !== undefined)).toEqual([])
  expect(api.complaint).toBe('')
  expect(await pgq.get(id)).toMatchObject({ status: 'completed', attempts: 1 })
  const { jobs } = await pgq.list({ queue: slow, status: 'pending' })
  expect(jobs).toHaveLength(2) // the one of the request too
  expect(jobs.find((job) => job.id === later)).toMatchObject({ attempts: 0, startedAt: null })
  await pgq.delete({ queue: slow })
})

test.for(['SIGTERM', 'SIGINT'] as const)('an idle process ends at once on %s', async (signal) => {
  const api = await start()
  api.kill(signal)
  expect(await exitsWithin(10_000, api)).toBe(0)
})

test('a process that something else keeps alive ends all the same', async () => {
  const api = await start({ keepAlive: true })
  api.kill('SIGTERM')
  expect(await exitsWithin(10_000, api)).toBe(0)
})

test('requests and jobs that never end do not keep it from ending in time, and the job is given back', async () => {
  const api = await start({ shutdown: { timeout: '6s' }, shutdownTimeout: 500 })
  const { id } = await pgq.enqueue(slow, {})
  await api.said('job.begun')
  const busy = await connect(api.port)
  void ask(busy, 'POST', '/slow')
  await api.said('request.begun')
  const began = performance.now()
  api.kill('SIGTERM')
  expect(await exitsWithin(15_000, api)).toBe(1)
  expect(performance.now() - began).toBeGreaterThan(5_000)
  expect(api.lines.find((line) => line.type === 'server')).toMatchObject({ late: true })
  expect(api.lines.find((line) => line.type === 'drain')).toMatchObject({ late: false })
  expect(busy.closed).toBe(true)
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', attempts: 0, lockedBy: null })
  await pgq.delete({ queue: slow })
})

test('one timeout holds for a job that takes longer than it, too', async () => {
  const api = await start({ shutdown: { timeout: '1s' }, shutdownTimeout: 60_000 })
  const { id } = await pgq.enqueue(slow, {})
  await api.said('job.begun')
  api.kill('SIGTERM')
  expect(await exitsWithin(10_000, api)).toBe(1)
  expect(api.types.slice(2)).toEqual([
    'readiness',
    'claiming',
    'streams',
    'server',
    'drain',
    'close',
    'pools',
    'exit',
  ])
  expect(api.lines.find((line) => line.type === 'drain')).toMatchObject({ late: true })
  // Another worker rescues it; here the test does.
  expect(await pgq.get(id)).toMatchObject({ status: 'processing' })
  await pgq.cancel(id)
})

test('a second signal ends the process at once; one that comes with the first does not', async () => {
  const api = await start()
  const { id } = await pgq.enqueue(slow, {})
  await api.said('job.begun')
  api.kill('SIGINT')
  api.kill('SIGTERM')
  await api.said('server')
  await sleep(300)
  expect(api.types).not.toContain('exit')
  api.kill('SIGTERM')
  expect(await exitsWithin(10_000, api)).toBe(143)
  expect(api.types).not.toContain('drain')
  await pgq.cancel(id)
})

test('without a database it ends in time', async () => {
  const postgres = await startPostgres()
  const other = createPgq({ connectionString: postgres.url })
  await other.migrate()
  await other.close()
  try {
    const api = await startApi({ url: postgres.url, schema: 'pgq', shutdown: { timeout: '15s' } })
    await postgres.kill()
    api.kill('SIGTERM')
    await exitsWithin(16_000, api)
    expect(api.types).toContain('pools')
  } finally {
    await postgres.stop()
  }
})

const listeners = (): number => process.listenerCount('SIGTERM')

/** Where `/never` was asked for. */
const asked = new Set<string>()

/** A server with a shutdown of its own, in this process. */
async function served(options: Partial<ShutdownOptions> = {}): Promise<{
  shutdown: ReturnType<typeof gracefulShutdown>
  url: string
  server: http.Server
}> {
  const app = appWith()
  app.get('/never', () => void asked.add(url))
  const { server, url } = await serve(app)
  const own = createPgq({ connectionString: databaseUrl, schema })
  return { shutdown: gracefulShutdown({ server, pgq: own, ...options }), url, server }
}

describe('by hand', () => {
  test('it happens once, is reported, and the process lives on', async () => {
    const before = listeners()
    const steps: ShutdownStep[] = []
    const { shutdown, server } = await served({ onStep: (step) => steps.push(step) })
    expect(listeners()).toBe(before + 1)
    const first = shutdown()
    expect(shutdown()).toBe(first)
    const report = await first
    expect(report).toEqual({ clean: true, elapsedMs: expect.any(Number), steps })
    expect(steps.map(({ step }) => step)).toEqual([
      'readiness',
      'claiming',
      'streams',
      'server',
      'drain',
      'close',
      'pools',
    ])
    expect(server.listening).toBe(false)
    expect(listeners()).toBe(before)
    expect(await shutdown()).toBe(report)
  })

  test('a step that fails is told, and the others follow', async () => {
    let isEnded = false
    const { shutdown } = await served({
      onStep: () => {
        throw new Error('a bad log')
      },
      pools: [
        { end: () => Promise.reject(new Error('a bad pool')) },
        {
          end: async () => {
            isEnded = true
          },
        },
      ],
    })
    const { clean, steps } = await shutdown()
    expect(clean).toBe(false)
    expect(steps.at(-1)).toMatchObject({ step: 'pools', late: false, error: new Error('a bad pool') })
    expect(isEnded).toBe(true)
  })

  test('what throws instead of rejecting is a step that fails, too, and no pool is left open', async () => {
    const ended: string[] = []
    const worker = { status: 'running', stop: () => expect.fail('a bad worker') } as unknown as Worker
    const { shutdown } = await served({
      workers: [worker],
      pools: [
        { end: () => expect.fail('a bad pool') },
        {
          end: async () => {
            await new Promise((resolve) => setImmediate(resolve))
            ended.push('slow')
          },
        },
      ],
    })
    const { clean, steps } = await shutdown()
    expect(clean).toBe(false)
    const failed = steps.filter(({ error }) => error !== undefined)
    expect(failed).toMatchObject([
      { step: 'drain', error: { message: 'a bad worker' } },
      { step: 'pools', error: { message: 'a bad pool' } },
    ])
    expect(ended).toEqual(['slow'])
  })

  test('a request that never ends is broken off when the time is over', async () => {
    const { shutdown, url } = await served({ timeout: 500 })
    const request = fetch(`${url}/never`)
    await until('it is under way', () => asked.has(url))
    const { clean, steps } = await shutdown()
    await expect(request).rejects.toThrow('fetch failed')
    expect(clean).toBe(false)
    expect(steps.filter(({ late }) => late).map(({ step }) => step)).toEqual(['server'])
  })

  test('a server that does not listen is closed already', async () => {
    const { shutdown, server } = await served()
    server.close()
    expect(await shutdown()).toMatchObject({ clean: true })
  })

  test('signals may be left alone', async () => {
    const before = listeners()
    await served({ signals: [] })
    expect(listeners()).toBe(before)
  })
})

test.for([
  [{ server: appWith() }, /^server is function app: it must be the server that app.listen/],
  [{ pgq: {} }, /^gracefulShutdown was given an object/],
  [{ timeout: 'a while' }, /^timeout is "a while"/],
  [{ timeout: '1s', readinessDelay: '2s' }, /^readinessDelay is "2s"/],
  [{ onStep: 'log' }, /^onStep is "log"/],
  [{ worker: [] }, /no option "worker"/],
  [{ workers: idleWorker }, /^workers is a Worker: it must be an array/],
  [{ workers: [undefined] }, /^workers\[0\] is undefined: it must be what pgq.createWorker/],
  [{ workers: [pool] }, /^workers\[0\] is a \w+: it must be what pgq.createWorker/],
  [{ pools: pool }, /^pools is a \w+: it must be an array/],
  [{ pools: [pool, null] }, /^pools\[1\] is null: it must have a function end/],
  [{ signals: 'SIGTERM' }, /^signals is "SIGTERM": it must be an array/],
  [{ signals: ['SIGTREM'] }, /^signals\[0\] is "SIGTREM"/],
  [{ signals: ['SIGTERM', 'SIGKILL'] }, /^signals\[1\] is "SIGKILL".*cannot be caught/],
] as const)('options are checked: %#', ([options, message]) => {
  const all = { server: http.createServer(), pgq, ...options } as unknown as ShutdownOptions
  expect(() => gracefulShutdown(all)).toThrow(message)
})
