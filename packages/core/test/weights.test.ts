import { setTimeout as sleep } from 'node:timers/promises'
import { until, work } from '@pgq/test-support'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import type { ClaimedJob } from '../src/job/job.ts'
import { Lane } from '../src/worker/lane.ts'
import { Shares } from '../src/worker/shares.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'

const laneOf = (weight: number, limit: number): Lane =>
  new Lane(
    handle(defineQueue('lane'), () => {}, { weight, concurrency: 100 }),
    limit,
  )

/** Runs lanes that always have jobs for so many ms of simulated time; returns the slot time that each had. */
function simulate(lanes: readonly { weight: number; ms: number }[], slots: number, forMs: number): number[] {
  const all = lanes.map(({ weight, ms }) => ({ lane: laneOf(weight, slots), ms, had: 0 }))
  const shares = new Shares(
    all.map(({ lane }) => lane),
    { onRoom: () => {}, onDue: () => {} },
  )
  const running: { one: (typeof all)[number]; endMs: number }[] = []
  for (let now = 0; now < forMs;) {
    for (const { lane } of all)
      while (lane.waiting < slots) lane.add({ id: '', payloadLength: 1 } as ClaimedJob, now)
    for (let lane; running.length < slots && (lane = shares.next(slots - running.length)) !== undefined;) {
      const one = all.find((candidate) => candidate.lane === lane) as (typeof all)[number]
      lane.take()
      shares.began(lane)
      running.push({ one, endMs: now + one.ms })
    }
    running.sort((a, b) => a.endMs - b.endMs)
    const { one, endMs } = running.shift() as (typeof running)[number]
    now = endMs
    one.had += one.ms
    shares.ended(one.lane, one.ms)
    one.lane.release(one.ms)
  }
  return all.map(({ had }) => had)
}

describe('the shares', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  test('are in proportion to the weights, however many slots there are and however long jobs take', () => {
    const queue = fc.record({ weight: fc.integer({ min: 1, max: 10 }), ms: fc.integer({ min: 1, max: 300 }) })
    fc.assert(
      fc.property(
        fc.array(queue, { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 1, max: 8 }),
        (queues, slots) => {
          const had = simulate(queues, slots, 40_000)
          const total = had.reduce((sum, one) => sum + one)
          const weights = queues.reduce((sum, { weight }) => sum + weight, 0)
          const wrong = had.map((one, n) => Math.abs(one / total - (queues[n]?.weight ?? 0) / weights))
          expect(Math.max(...wrong)).toBeLessThan(0.05)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('of a lane that was away are what it gets from now on: it saves nothing up', () => {
    const [busy, away] = [laneOf(1, 1), laneOf(1, 1)]
    const shares = new Shares([busy, away], { onRoom: () => {}, onDue: () => {} })
    const turns: Lane[] = []
    const turn = (): void => {
      const lane = shares.next(1) as Lane
      lane.take()
      shares.began(lane)
      shares.ended(lane, 10)
      lane.release(10)
      turns.push(lane)
    }
    away.isExhausted = true
    for (let n = 0; n < 100; n++) {
      busy.add({ id: '', payloadLength: 1 } as ClaimedJob, 0)
      turn()
    }
    for (let n = 0; n < 20; n++)
      for (const lane of [busy, away]) lane.add({ id: '', payloadLength: 1 } as ClaimedJob, 0)
    turns.length = 0
    for (let n = 0; n < 20; n++) turn()
    expect(turns.filter((lane) => lane === away)).toHaveLength(10)
  })
})

const { pgq } = await freshQueue()

test.for([
  { concurrency: 1, weight: 3 },
  { concurrency: 4, weight: 3 },
  { concurrency: 2, weight: 1 },
])(
  'with $concurrency slots and weights of $weight to 1 the queues of a worker share them so',
  async ({ concurrency, weight }) => {
    const heavy = defineQueue(`heavy.${concurrency}`)
    const light = defineQueue(`light.${concurrency}`)
    for (const queue of [heavy, light]) await pgq.enqueueMany(queue, Array(400).fill(null))
    const had = { heavy: 0, light: 0 }
    const handlers = [
      handle(heavy, () => sleep(30).then(() => void had.heavy++), { weight }),
      handle(light, () => sleep(30).then(() => void had.light++)),
    ]
    const worker = await work(pgq, handlers, { concurrency })
    await until('they have had their turns', () => had.heavy + had.light >= 80)
    const share = had.heavy / (had.heavy + had.light)
    await worker.stop()
    expect(share).toBeGreaterThan(weight / (weight + 1) - 0.1)
    expect(share).toBeLessThan(weight / (weight + 1) + 0.1)
  },
)

test('a queue of slow jobs does not take the slots from one of quick jobs, nor the other way round', async () => {
  const slow = defineQueue('slow')
  const quick = defineQueue('quick')
  await pgq.enqueueMany(slow, Array(20).fill(null))
  await pgq.enqueueMany(quick, Array(3_000).fill(null))
  const completed = collect(pgq, 'job.completed')
  const handlers = [handle(slow, () => sleep(400)), handle(quick, () => sleep(2))]
  const worker = await work(pgq, handlers, { concurrency: 2 })
  await until(
    'the slow ones had some',
    () => completed.filter(({ job }) => job.queue === 'slow').length === 5,
  )
  expect(completed.filter(({ job }) => job.queue === 'quick').length).toBeGreaterThan(50)
  await worker.stop()
})

test('a weight that is none is refused', () => {
  for (const weight of [0, 1.5, 1_001, '3' as never])
    expect(() => handle(defineQueue('q'), () => {}, { weight })).toThrow(/weight is/)
})
