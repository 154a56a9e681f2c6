import { createPgq, defineQueue } from '@pgq/core'
import { cleanUpAfterwards, until } from '@pgq/test-support'
import pg from 'pg'
import { expect, test } from 'vitest'
import { dashboardMiddleware } from '../src/express.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { serve } from './support/serve.ts'
import { visit } from './support/visitor.ts'

/** Somebody who reads a stream of events. */
interface Reader {
  /** Everything that has arrived. */
  readonly text: () => string
  /** How the queues stand, by the last word of it. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows what it asked for
  readonly queues: () => any
  readonly isOver: () => boolean
  readonly leave: () => Promise<void>
}

function readStream(response: Response): Reader {
  const stream = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  let isOver = false
  const leave = async (): Promise<void> => stream?.cancel()
  const read = async (): Promise<void> => {
    for (let part = await stream?.read(); part && !part.done; part = await stream?.read()) text += part.value
  }
  void read()
    .catch(() => {})
    .finally(() => (isOver = true))
  cleanUpAfterwards(async () => leave().catch(() => {}))
  const queues = (): unknown =>
    JSON.parse([...text.matchAll(/event: queues\ndata: (.*)/g)].at(-1)?.[1] ?? 'null')
  return { text: () => text, queues, isOver: () => isOver, leave }
}

test('whoever watches is told how the queues stand, at once and when it changes', async () => {
  const { pgq } = await freshQueue()
  const { get, post } = visit(pgq)
  const response = await get('api/live')
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(response.headers.get('cache-control')).toBe('no-cache, no-transform')
  const first = readStream(response)
  await until('the first word', () => first.queues()?.length === 0)
  await pgq.enqueue(defineQueue('mails'), 1)
  await until('the job is seen', () => first.queues()?.[0]?.due.jobs === 1)
  const second = readStream(await get('api/live'))
  await until('a later one is told what is known', () => second.queues()?.length === 1, 1_000)
  await post('api/queues/pause', { name: 'mails' })
  await until(
    'a change that was made here is told at once',
    () => first.queues()?.[0]?.pausedAt !== null,
    1_500,
  )
})

test('a job that is followed is told of until it has ended', async () => {
  const { pgq } = await freshQueue()
  const { id } = await pgq.enqueue(defineQueue('mails'), 1)
  const reader = readStream(await visit(pgq).get(`api/live?job=${id}`))
  const changes = (): number => reader.text().split('event: job\n').length - 1
  await until('it is told as it is', () => changes() === 1)
  await pgq.cancel(id)
  await until('its end is told', () => changes() === 2)
})

test('closing ends every stream, and so the server can be closed', async () => {
  const { pgq } = await freshQueue()
  const middleware = dashboardMiddleware(pgq, { authorize: () => 'read' })
  const url = await serve(middleware)
  const readers = [readStream(await fetch(`${url}/api/live`)), readStream(await fetch(`${url}/api/live`))]
  middleware.close()
  await until('both are over', () => readers.every((reader) => reader.isOver()))
  const next = readStream(await fetch(`${url}/api/live`))
  await until('the next one is served', () => next.queues() !== null)
})

test('nothing is asked of the database once everybody has gone away', async () => {
  const { schema, databaseUrl, pgq: other } = await freshQueue()
  const pool = new pg.Pool({ connectionString: databaseUrl })
  cleanUpAfterwards(() => pool.end())
  let asked = 0
  pool.on('acquire', () => asked++)
  const url = await serve(
    dashboardMiddleware(createPgq({ pool, schema }), { authorize: () => 'read' }) as never,
  )
  const reader = readStream(await fetch(`${url}/api/live`))
  await until('the first word', () => reader.queues() !== null)
  await reader.leave()
  const before = asked
  expect(before).toBeGreaterThan(0)
  // Another dashboard is the clock: while it is told three times, this one would have looked as well.
  const clock = readStream(await visit(other).get('api/live'))
  await until('some looks have passed', () => clock.text().split('event: queues').length > 3)
  expect(asked).toBeLessThanOrEqual(before + 1)
})
