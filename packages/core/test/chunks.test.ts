import { latch, until, work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineQueue, fixed, handle, handleChunk, isPgqError, type Job, SnoozeJob } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'

const { pgq, sql, schema } = await freshQueue()

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
const backoff = fixed('1h')

test('a chunk takes up to its size of a backlog, in order, and returning nothing completes all', async () => {
  const queue = defineQueue<number>('all')
  await pgq.enqueueMany(queue, numbers(250))
  const chunks: number[][] = []
  const completed = collect(pgq, 'job.completed')
  const started = collect(pgq, 'job.started')
  await work(pgq, [handleChunk(queue, (jobs) => void chunks.push(jobs.map((job) => job.payload)))])
  await until('all are completed', () => completed.length === 250)
  expect(chunks.map((chunk) => chunk.length)).toEqual([100, 100, 50])
  expect(chunks.flat()).toEqual(numbers(250))
  expect(started).toHaveLength(250)
})

test('a list of results is stored job by job; one of another length fails the chunk', async () => {
  const queue = defineQueue<number>('results', { backoff })
  const failed = collect(pgq, 'job.failed')
  const completed = collect(pgq, 'job.completed')
  await pgq.enqueueMany(queue, numbers(3))
  const handler = handleChunk(queue, (jobs) =>
    jobs.length === 3 ? jobs.map((job) => job.payload * 10) : ['one too', 'many'],
  )
  await work(pgq, [handler])
  await until('three are completed', () => completed.length === 3)
  const { jobs } = await pgq.list({ queue, status: 'completed' })
  expect(jobs.map((job) => [job.payload, job.result])).toEqual([
    [2, 20],
    [1, 10],
    [0, 0],
  ])
  await pgq.enqueue(queue, 9)
  await until('it failed', () => failed.length === 1)
  expect(failed[0]?.error.message).toMatch(/an array of 2 for 1 jobs/)
})

test('throwing fails all of the chunk, each by its own retry policy', async () => {
  const queue = defineQueue('throws', { backoff })
  await pgq.enqueueMany(queue, ['a', 'b'])
  const { id } = await pgq.enqueue(queue, 'last', { maxAttempts: 1 })
  const failed = collect(pgq, 'job.failed')
  const dead = collect(pgq, 'job.dead')
  await work(pgq, [handleChunk(queue, () => Promise.reject(new Error('no')))])
  await until('all are told', () => failed.length + dead.length === 3)
  expect(dead.map(({ job }) => job.id)).toEqual([id])
  expect(await pgq.counts({ queue })).toEqual([
    { queue: 'throws', status: 'dead', jobs: 1 },
    { queue: 'throws', status: 'failed', jobs: 2 },
  ])
})

test('what is marked counts at once, the first mark stands, and throwing fails only the rest', async () => {
  const queue = defineQueue<string>('marks', { backoff })
  const goOn = latch()
  const handler = handleChunk(queue, async (jobs, ctx) => {
    const [good, bad, later, rest] = jobs as [Job, Job, Job, Job]
    ctx.complete(good, { ok: true })
    ctx.fail(good, new Error('too late'))
    ctx.fail(bad, new Error('bad'))
    ctx.fail(later, new SnoozeJob('1h'))
    expect(() => ctx.fail({ id: 'stranger' }, new Error('x'))).toThrow(TypeError)
    await ctx.progress(rest, { at: 1 })
    await goOn.opened
    throw new Error('the rest')
  })
  await pgq.enqueueMany(queue, ['good', 'bad', 'later', 'rest'])
  await work(pgq, [handler])
  const byPayload = async (): Promise<unknown> => {
    const { jobs } = await pgq.list({ queue })
    return Object.fromEntries(
      jobs.map((job) => [job.payload, [job.status, job.attempts, job.error, job.result, job.progress]]),
    )
  }
  const marked = {
    good: ['completed', 1, null, { ok: true }, null],
    bad: ['failed', 1, 'bad', null, null],
    later: ['pending', 0, null, null, null],
  }
  await until('the marks are settled', async () => (await pgq.counts({ queue })).length === 4)
  expect(await byPayload()).toEqual({ ...marked, rest: ['processing', 1, null, null, { at: 1 }] })
  goOn.open()
  await until('the rest failed', async () => (await pgq.counts({ queue, status: 'failed' }))[0]?.jobs === 2)
  expect(await byPayload()).toEqual({ ...marked, rest: ['failed', 1, 'the rest', null, { at: 1 }] })
})

test('what is thrown after every outcome is an error event, and fails nobody', async () => {
  const queue = defineQueue('afterwards')
  const errors = collect(pgq, 'error')
  const handler = handleChunk(queue, (jobs, ctx) => {
    for (const job of jobs) ctx.complete(job, null)
    throw new Error('afterwards')
  })
  await work(pgq, [handler])
  const { id } = await pgq.enqueue(queue, null)
  await until('it is told', () => errors.length === 1)
  expect(errors[0]?.error).toMatchObject({ message: 'afterwards' })
  await until('it is completed', async () => (await pgq.get(id))?.status === 'completed')
})

test('a payload that the schema refuses dies alone, and the others run, also when the schema takes its time', async () => {
  const queue = defineQueue('refused', { payload: z.number().refine(async (n) => n < 100) })
  const insert = `INSERT INTO ${schema}.jobs (queue_name, payload) VALUES ('refused', '1'), ('refused', '100'), ('refused', '3')`
  await sql(insert)
  const seen: number[][] = []
  const dead = collect(pgq, 'job.dead')
  const completed = collect(pgq, 'job.completed')
  await work(pgq, [handleChunk(queue, (jobs) => void seen.push(jobs.map((job) => job.payload)))])
  await until('all have ended', () => dead.length + completed.length === 3)
  expect(dead).toHaveLength(1)
  expect(seen.map((chunk) => chunk.toSorted((a, b) => a - b))).toEqual([[1, 3]])
})

test('a cancelled job of a chunk aborts alone; the signal of the chunk aborts with the last of them', async () => {
  const queue = defineQueue('cancelled')
  const started = latch()
  const goOn = latch()
  const signals: AbortSignal[] = []
  let whole: AbortSignal | undefined
  const handler = handleChunk(queue, async (jobs, ctx) => {
    whole = ctx.signal
    signals.push(...jobs.map((job) => ctx.signalOf(job)))
    started.open()
    await goOn.opened
  })
  const jobs = await pgq.enqueueMany(queue, ['a', 'b', 'c'])
  await work(pgq, [handler])
  await started.opened
  const [a, b, c] = jobs.map(({ id }) => id) as [string, string, string]
  await pgq.cancel(b, { reason: 'not b' })
  await until('its signal aborts', () => signals[1]?.aborted)
  expect(signals.map((signal) => signal.aborted)).toEqual([false, true, false])
  expect(signals[1]?.reason).toMatchObject({ code: 'JOB_CANCELLED', message: 'the job was cancelled: not b' })
  expect(whole?.aborted).toBe(false)
  await pgq.cancel([a, c])
  await until('all abort', () => whole?.aborted)
  expect(isPgqError(whole?.reason, 'JOB_CANCELLED')).toBe(true)
  goOn.open()
  expect((await pgq.get(b))?.status).toBe('cancelled')
})

test('each job has its own timeout', async () => {
  const queue = defineQueue('timeouts', { backoff })
  const quick = await pgq.enqueue(queue, 'quick', { timeout: 50 })
  const slow = await pgq.enqueue(queue, 'slow')
  const handler = handleChunk(queue, async (jobs, ctx) => {
    const [first] = jobs as [Job]
    await new Promise((resolve) => ctx.signalOf(first).addEventListener('abort', resolve))
    ctx.fail(first, ctx.signalOf(first).reason)
  })
  await work(pgq, [handler])
  await until('both have ended', async () => (await pgq.get(slow.id))?.status === 'completed')
  await until('it failed', async () => (await pgq.get(quick.id))?.status === 'failed')
  expect((await pgq.get(quick.id))?.errors).toMatchObject([{ name: 'JOB_TIMEOUT' }])
})

test('a chunk that is not full waits for more, and no longer than it was told', async () => {
  const queue = defineQueue('waits')
  const sizes: number[] = []
  await work(pgq, [handleChunk(queue, (jobs) => void sizes.push(jobs.length), { size: 3, wait: '10s' })])
  await pgq.enqueue(queue, 1)
  await until('it is held', async () => (await pgq.counts({ queue, status: 'processing' })).length === 1)
  await pgq.enqueueMany(queue, [2, 3])
  await until('it ran', () => sizes.length === 1)
  expect(sizes).toEqual([3])

  const brief = defineQueue('waits.briefly')
  const tookMs: number[] = []
  const began = performance.now()
  const handler = handleChunk(brief, () => void tookMs.push(performance.now() - began), { wait: '300ms' })
  await work(pgq, [handler])
  await pgq.enqueue(brief, 1)
  await until('it ran', () => tookMs.length === 1)
  expect(tookMs[0]).toBeGreaterThan(290)
})

test('stop gives back a chunk that waits, at no cost, and lets one that runs end', async () => {
  const queue = defineQueue('stops')
  const worker = await work(pgq, [handleChunk(queue, () => {}, { size: 3, wait: '10s' })])
  const { id } = await pgq.enqueue(queue, 1)
  await until('it is held', async () => (await pgq.get(id))?.status === 'processing')
  await worker.stop()
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', attempts: 0 })
})

test('a crash suspect comes alone', async () => {
  const queue = defineQueue<string>('suspects')
  await pgq.enqueueMany(queue, ['a', 'b'])
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, payload, crashes, attempts, status) VALUES ('suspects', '"suspect"', 2, 1, 'failed')`,
  )
  const chunks: string[][] = []
  const completed = collect(pgq, 'job.completed')
  await work(pgq, [handleChunk(queue, (jobs) => void chunks.push(jobs.map((job) => job.payload)))])
  await until('all are completed', () => completed.length === 3)
  expect(chunks.find((chunk) => chunk.includes('suspect'))).toEqual(['suspect'])
})

test('a chunk takes one slot of its worker, and no more chunks run at once than were asked for', async () => {
  const queue = defineQueue('slots')
  const other = defineQueue('slots.other')
  let running = 0
  let most = 0
  const count = async (): Promise<void> => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 20))
    running--
  }
  await pgq.enqueueMany(queue, numbers(60))
  await pgq.enqueueMany(other, numbers(10))
  const completed = collect(pgq, 'job.completed')
  const handlers = [handleChunk(queue, count, { size: 10, concurrency: 2 }), handle(other, count)]
  await work(pgq, handlers, { concurrency: 3 })
  await until('all are completed', () => completed.length === 70)
  expect(most).toBe(3)
})

test('a transaction is refused, with the way out', () => {
  const options = { transactional: true } as object
  expect(() => handleChunk(defineQueue('tx'), () => {}, options)).toThrow(/handleChunk has no transactional/)
  expect(() => handleChunk(defineQueue('size'), () => {}, { size: 0 })).toThrow(/size is 0/)
})
