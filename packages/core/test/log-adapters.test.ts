import { pino } from 'pino'
import { expect, test } from 'vitest'
import { type EventJob, logEvents, PgqError, toConsole, toPino } from '../src/index.ts'
import { Events } from '../src/events.ts'

const job: EventJob = {
  id: 'the-id',
  queue: 'mail',
  attempt: 2,
  maxAttempts: 3,
  fence: 4,
  metadata: { traceparent: '00-a-b-01', user: 'secret' },
  createdAtMs: 0,
  scheduledForMs: 0,
  startedAtMs: 0,
}

function emitAll(events: Events): void {
  events.emit('job.completed', { job, durationMs: 12 })
  events.emit('job.failed', {
    job,
    durationMs: 3,
    delayMs: 2_000,
    error: { name: 'E', message: 'no', stack: 'at x' },
  })
  events.emit('error', { where: 'claiming jobs', error: new PgqError('CLOSED', 'gone') })
  events.emit('worker.started', { workerId: 'w', queues: ['mail'] })
}

const messages = [
  'pgq job.completed: mail the-id attempt 2/3: after 12 ms',
  'pgq job.failed: mail the-id attempt 2/3: after 3 ms: again in 2000 ms: E no',
  'pgq error: claiming jobs: CLOSED gone',
  'pgq worker.started: worker w',
]
const jobFields = { jobId: 'the-id', queue: 'mail', attempt: 2, maxAttempts: 3, traceparent: '00-a-b-01' }

test('pino gets a record for each event: level, message, fields, and the error as its serializers take it', () => {
  const lines: string[] = []
  const events = new Events()
  const stop = logEvents(events, toPino(pino({ level: 'debug' }, { write: (line) => void lines.push(line) })))
  emitAll(events)
  stop()
  emitAll(events)
  const records = lines.map((line) => JSON.parse(line))
  expect(records.map(({ msg }) => msg)).toEqual(
    messages.map((message) => expect.stringContaining(message.slice(0, 20))),
  )
  expect(records.map(({ level }) => level)).toEqual([20, 40, 50, 30])
  expect(records[0]).toMatchObject({ event: 'job.completed', ...jobFields, durationMs: 12 })
  expect(records[1]).toMatchObject({
    event: 'job.failed',
    ...jobFields,
    delayMs: 2_000,
    err: { message: 'no' },
  })
  expect(records[2]).toMatchObject({
    event: 'error',
    where: 'claiming jobs',
    err: { code: 'CLOSED', message: 'gone' },
  })
  expect(records[2].err.stack).toContain('log-adapters.test.ts')
  expect(records[3]).toMatchObject({ event: 'worker.started', workerId: 'w', queues: ['mail'] })
  expect(lines.join('')).not.toContain('secret')
})

test('the console gets one line of JSON for each event', () => {
  const lines: [string, string][] = []
  const write = (level: string) => (line: unknown) => void lines.push([level, String(line)])
  const events = new Events()
  const output = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  logEvents(events, toConsole(output))
  emitAll(events)
  events.emit('error', { where: 'x', error: { big: 1n } })
  expect(lines.map(([level]) => level)).toEqual(['debug', 'warn', 'error', 'info', 'error'])
  const records = lines.map(([, line]) => JSON.parse(line))
  expect(records.map(({ level }) => level)).toEqual(lines.map(([level]) => level))
  expect(records[1]).toMatchObject({ event: 'job.failed', ...jobFields, err: { name: 'E', message: 'no' } })
  expect(records[2].err).toMatchObject({ code: 'CLOSED', message: 'gone', stack: expect.any(String) })
  expect(records[4].err).toEqual({ big: '1' })
  expect(new Date(records[0].time).getTime()).toBeGreaterThan(Date.now() - 60_000)
  expect(lines.every(([, line]) => !line.includes('\n') && !line.includes('secret'))).toBe(true)
})
