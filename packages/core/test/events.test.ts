import { expect, test } from 'vitest'
import { logEvents, type PgqEvent } from '../src/index.ts'
import { Events } from '../src/events.ts'

const elected = { workerId: 'w' }

test('listeners hear their event, in the order in which they were added', () => {
  const events = new Events()
  const heard: string[] = []
  events.on('leader.elected', ({ workerId }) => heard.push(`first ${workerId}`))
  events.on('leader.elected', () => heard.push('second'))
  events.on('leader.resigned', () => heard.push('other'))
  events.emit('leader.elected', elected)
  expect(heard).toEqual(['first w', 'second'])
})

test('a star hears everything, with the name of the event', () => {
  const events = new Events()
  const heard: PgqEvent[] = []
  events.on('*', (event) => heard.push(event))
  events.emit('leader.elected', elected)
  events.emit('worker.stopped', { workerId: 'x' })
  expect(heard).toEqual([
    { type: 'leader.elected', workerId: 'w' },
    { type: 'worker.stopped', workerId: 'x' },
  ])
})

test('one function may listen twice, and each is removed by itself', () => {
  const events = new Events()
  let heard = 0
  const listener = (): number => heard++
  const off = events.on('leader.elected', listener)
  events.on('leader.elected', listener)
  events.emit('leader.elected', elected)
  off()
  off()
  events.emit('leader.elected', elected)
  expect(heard).toBe(3)
})

test('whether anybody listens is known', () => {
  const events = new Events()
  expect(events.wants('job.dead')).toBe(false)
  const off = events.on('job.dead', () => {})
  expect(events.wants('job.dead')).toBe(true)
  expect(events.wants('job.failed')).toBe(false)
  off()
  expect(events.wants('job.dead')).toBe(false)
  const offAll = events.on('*', () => {})
  expect(events.wants('job.failed')).toBe(true)
  offAll()
  expect(events.wants('job.failed')).toBe(false)
})

test('a listener that throws harms neither the others nor the one who tells', async () => {
  const events = new Events()
  const errors: unknown[] = []
  let heard = 0
  const thrown = new Error('thrown')
  const rejected = new Error('rejected')
  events.on('error', (event) => errors.push(event))
  events.on('leader.elected', () => {
    throw thrown
  })
  events.on('leader.elected', () => Promise.reject(rejected))
  events.on('leader.elected', () => heard++)
  events.on('*', ({ type }) => {
    if (type === 'leader.elected') throw thrown
  })
  expect(() => events.emit('leader.elected', elected)).not.toThrow()
  expect(heard).toBe(1)
  await expect.poll(() => errors).toHaveLength(3)
  expect(errors).toEqual([
    { where: 'a listener of leader.elected', error: thrown },
    { where: 'a listener of leader.elected', error: thrown },
    { where: 'a listener of leader.elected', error: rejected },
  ])
})

test('listeners of errors that fail themselves are left in peace', async () => {
  const events = new Events()
  let calls = 0
  events.on('error', () => {
    calls++
    throw new Error('in the error listener')
  })
  events.on('*', () => {
    calls++
    return Promise.reject(new Error('in the star listener'))
  })
  events.emit('error', { where: 'claiming jobs', error: new Error('x') })
  await new Promise((resolve) => setImmediate(resolve))
  expect(calls).toBe(2)
})

test('a listener that leaves and comes back while it is told is told once', () => {
  const events = new Events()
  let heard = 0
  const once = (): void => {
    heard++
    off()
    if (heard < 1_000) off = events.on('leader.elected', once)
  }
  let off = events.on('leader.elected', once)
  events.emit('leader.elected', elected)
  expect(heard).toBe(1)
})

test('a listener that is removed by another one while both are told is not told any more', () => {
  const events = new Events()
  let heard = 0
  events.on('leader.elected', () => off())
  const off = events.on('leader.elected', () => heard++)
  events.emit('leader.elected', elected)
  expect(heard).toBe(0)
})

test('every event makes one line in a log, without payloads', () => {
  const events = new Events()
  const lines: string[] = []
  const to = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
  const off = logEvents(events, {
    debug: to('debug'),
    info: to('info'),
    warn: to('warn'),
    error: to('error'),
  })
  const job = {
    id: 'id',
    queue: 'mail',
    payload: 'secret',
    attempt: 1,
    maxAttempts: 3,
    fence: 1,
    metadata: {},
    createdAtMs: 0,
    scheduledForMs: 0,
    startedAtMs: 0,
  }
  events.emit('job.failed', {
    job,
    durationMs: 12.3,
    delayMs: 2_000,
    error: { name: 'Error', message: 'no' },
  })
  events.emit('job.enqueued', { queue: 'mail', ids: ['a', 'b'], deduplicated: 0, inTransaction: false })
  events.emit('error', { where: 'claiming jobs', error: null })
  off()
  events.emit('leader.elected', elected)
  expect(lines).toEqual([
    'warn pgq job.failed: mail id attempt 1/3: after 12 ms: again in 2000 ms: Error no',
    'debug pgq job.enqueued: mail 2 jobs',
    'error pgq error: claiming jobs: null',
  ])
})
