import { latch, until, work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { defineQueue, handle, type QueueLimits } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'

/** A worker of one slot that a slow job has, and that has a handler for the other queue as well. */
async function saturated(limits: QueueLimits) {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const slow = defineQueue('slow')
  const queue = defineQueue<number>('fast', { limits })
  const [begun, over] = [latch(), latch()]
  const ranIn = { busy: 0, idle: 0 }
  const busy = [
    handle(slow, async () => {
      begun.open()
      await over.opened
    }),
    handle(queue, () => void ranIn.busy++),
  ]
  await work(pgq, busy, { concurrency: 1 })
  await pgq.enqueue(slow, null)
  await begun.opened
  const startIdle = () => work(pgq, [handle(queue, () => void ranIn.idle++)])
  return { ...fresh, queue, over, ranIn, startIdle }
}

const CASES: [string, QueueLimits][] = [
  ['no limit', {}],
  ['a limit of one', { concurrency: 1 }],
  ['a rate that lets ten go', { rate: { limit: 10, per: '1h', burst: 10 } }],
]

test.each(CASES)(
  'a worker without a free slot takes no job from one that has some: %s',
  async (_, limits) => {
    const { pgq, queue, ranIn, startIdle, sql, schema } = await saturated(limits)
    await pgq.enqueueMany(queue, [1, 2, 3, 4, 5])
    // The busy one is told of these, and has all the time it wants.
    await startIdle()
    await pgq.enqueueMany(queue, [6, 7, 8, 9, 10])
    await until('the idle one has done all', () => ranIn.idle === 10)
    expect(ranIn.busy).toBe(0)
    // Each was claimed once: nobody else had it in hand and gave it back.
    const rows = await sql(`SELECT DISTINCT fence FROM ${schema}.jobs WHERE queue_name = 'fast'`)
    expect(rows).toEqual([{ fence: 1 }])
  },
)

test('when its slot is free again it looks at the other queues', async () => {
  const { pgq, queue, over, ranIn } = await saturated({ concurrency: 1 })
  await pgq.enqueueMany(queue, [1, 2, 3])
  over.open()
  await until('the busy one has done them', () => ranIn.busy === 3)
  expect(ranIn.idle).toBe(0)
})

test('a worker with fewer slots than queues serves all of them, some with limits and some that never run dry', async () => {
  const { pgq } = await freshQueue()
  const done = new Map<string, number>()
  const queues = ['a', 'b', 'c', 'd'].map((name) =>
    defineQueue<number>(name, name < 'c' ? {} : { limits: { concurrency: 1 } }),
  )
  for (const queue of queues)
    await pgq.enqueueMany(
      queue,
      Array.from({ length: 300 }, (_, n) => n),
    )
  const handlers = queues.map((queue) =>
    handle(queue, () => void done.set(queue.name, (done.get(queue.name) ?? 0) + 1)),
  )
  await work(pgq, handlers, { concurrency: 2 })
  await until('all are done', () => [...done.values()].reduce((sum, n) => sum + n, 0) === 1_200)
  expect(Object.fromEntries(done)).toEqual({ a: 300, b: 300, c: 300, d: 300 })
})
