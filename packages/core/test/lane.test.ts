import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import type { ClaimedJob } from '../src/job/job.ts'
import { monotonicMs } from '../src/runtime/clock.ts'
import { Lane } from '../src/worker/lane.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const laneOf = (concurrency: number, limit = 1_000_000): Lane =>
  new Lane(
    handle(defineQueue('lane'), () => {}, { concurrency }),
    limit,
  )

let next = 0
const jobs = (count: number, payloadLength = 10): ClaimedJob[] =>
  Array.from({ length: count }, () => ({ id: String(next++), payloadLength }) as ClaimedJob)

/** Runs that many jobs, each for as long, with all slots in use. */
function run(lane: Lane, count: number, ms: number): void {
  for (let left = count; left > 0;) {
    const batch = Math.min(left, lane.concurrency)
    for (const job of jobs(batch)) lane.add(job, monotonicMs())
    for (let i = 0; i < batch; i++) lane.take()
    vi.advanceTimersByTime(ms)
    for (let i = 0; i < batch; i++) lane.release(ms)
    left -= batch
  }
}

/** Fills every slot, so that what is wanted beyond is prefetched. */
function fill(lane: Lane): void {
  for (const job of jobs(lane.concurrency - lane.running)) lane.add(job, monotonicMs())
  while (lane.take());
}

test('before it knows how long jobs take a lane wants what its free slots hold, and nothing more', () => {
  const lane = laneOf(10)
  expect(lane.wanted()).toBe(10)
  fill(lane)
  expect(lane.wanted()).toBe(0)
  expect(lane.isLow).toBe(true) // nothing waits, and nothing is wanted
})

test('long payloads are held by their length: few at a time, and more once they are short again', () => {
  const lane = laneOf(10)
  run(lane, 200, 0.1)
  fill(lane)
  for (const job of jobs(1, 1024 * 1024)) lane.add(job, monotonicMs())
  expect(lane.wanted() + lane.waiting).toBe(16)
  for (const job of jobs(200)) lane.add(job, monotonicMs())
  expect(lane.wanted() + lane.waiting).toBe(2_000)
})

test.for([
  [2_000, 0],
  [1_000, 1],
  [101, 9],
  [50, 20],
  [10, 100],
  [1, 1_000],
  [0.1, 2_000],
])('with ten slots and jobs of %d ms it holds %d unstarted ones', ([ms = 0, expected = 0]) => {
  const lane = laneOf(10)
  run(lane, 200, ms)
  fill(lane)
  expect(lane.wanted()).toBe(expected)
})

test('slow jobs are never hoarded, however many slots there are', () => {
  const lane = laneOf(500)
  run(lane, 5_000, 60_000)
  fill(lane)
  expect(lane.wanted()).toBe(0)
})

test('the limit of the worker bounds what a lane wants', () => {
  const lane = laneOf(100, 3)
  expect(lane.wanted()).toBe(3)
  run(lane, 30, 10)
  fill(lane)
  expect(lane.wanted()).toBe(30)
})

test('handlers that become slow stop the prefetch before the first of them has ended', () => {
  const lane = laneOf(10)
  run(lane, 500, 1)
  fill(lane)
  expect(lane.wanted()).toBe(1_000)
  vi.advanceTimersByTime(500)
  expect(lane.wanted()).toBe(2)
  vi.advanceTimersByTime(60_000)
  expect(lane.wanted()).toBe(0)
})

test('jobs that wait in vain for a second are given back, newest first, and the others keep their order', () => {
  const lane = laneOf(10)
  run(lane, 500, 1)
  fill(lane)
  const waiting = jobs(300)
  for (const job of waiting) lane.add(job, monotonicMs())
  expect(lane.surplus()).toEqual([])
  vi.advanceTimersByTime(999)
  expect(lane.surplus()).toEqual([])
  vi.advanceTimersByTime(1)
  const surplus = lane.surplus() // one second since the last end: one of ten slots may be free in 100 ms
  expect(surplus).toEqual(waiting.slice(1))
  expect(lane.waiting).toBe(1)
  lane.release(1_000)
  expect(lane.take()).toBe(waiting[0])
})

test('it claims again when half of what it holds is used up, not for every job', () => {
  const lane = laneOf(10)
  run(lane, 500, 10)
  fill(lane)
  for (const job of jobs(100)) lane.add(job, monotonicMs())
  expect(lane.isLow).toBe(false)
  for (let i = 0; i < 49; i++) {
    vi.advanceTimersByTime(1)
    lane.release(10)
    lane.take()
  }
  expect(lane.isLow).toBe(false)
  lane.release(10)
  lane.take()
  expect(lane.isLow).toBe(true)
})

test('jobs leave in the order they came in, also over many rounds', () => {
  const lane = laneOf(1)
  const came = jobs(5_000)
  const left: (ClaimedJob | undefined)[] = []
  for (let i = 0; i < came.length; i += 50) {
    for (const job of came.slice(i, i + 50)) lane.add(job, monotonicMs())
    for (let n = 0; n < 50; n++) {
      left.push(lane.take())
      lane.release(1)
    }
  }
  expect(left).toEqual(came)
  expect(lane.waiting).toBe(0)
})

test('drain takes every unstarted job and no started one', () => {
  const lane = laneOf(2)
  const all = jobs(7)
  for (const job of all) lane.add(job, monotonicMs())
  lane.take()
  lane.take()
  expect(lane.take()).toBeUndefined()
  expect(lane.drain()).toEqual(all.slice(2))
  expect([lane.waiting, lane.running, lane.drain().length]).toEqual([0, 2, 0])
})
