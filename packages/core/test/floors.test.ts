import { expect, test } from 'vitest'
import type { ClaimedJob } from '../src/job/job.ts'
import { Floors } from '../src/worker/floors.ts'

const jobAt = (priority: number, scheduledForMs: number): ClaimedJob =>
  ({ queue: 'a', priority, scheduledForMs, group: null }) as ClaimedJob

/** A worker that claims from queues with a backlog, on a machine where a claim takes as long as told. */
class Simulation {
  readonly floors = new Floors()
  nowMs = 1_000
  /** How long claims take, in ms. */
  full = 1
  floored = 1
  /** How many jobs a claim of each queue finds. */
  readonly found = new Map<string, number>([['a', 10]])
  readonly log: { readonly atMs: number; readonly floored: boolean; readonly from: number | undefined }[] = []
  #position = 0

  claim(): boolean {
    const wanted = [...this.found.keys()].map((queue) => ({ queue, limit: 10 }))
    const plan = this.floors.apply(wanted, this.nowMs)
    const usesFloor = plan.wanted.some((want) => want.floor !== undefined)
    const tookMs = usesFloor ? this.floored : this.full
    this.log.push({ atMs: this.nowMs, floored: usesFloor, from: plan.wanted[0]?.floor?.scheduledForMs })
    this.nowMs += tookMs
    const jobs = [...this.found].flatMap(([queue, count]) =>
      Array.from(
        { length: count },
        () => ({ queue, priority: 0, scheduledForMs: ++this.#position, group: null }) as ClaimedJob,
      ),
    )
    this.floors.learn({ ...plan, jobs, tookMs, nowMs: this.nowMs })
    return usesFloor
  }

  /** Claims for that many milliseconds and returns the share of claims with a floor. */
  run(ms: number): number {
    const from = this.log.length
    for (const endMs = this.nowMs + ms; this.nowMs < endMs;) this.claim()
    const claims = this.log.slice(from)
    return claims.filter(({ floored }) => floored).length / claims.length
  }

  /** The longest time between the beginnings of two full claims. */
  get longestWithoutFull(): number {
    const full = this.log.filter(({ floored }) => !floored).map(({ atMs }) => atMs)
    return Math.max(...full.slice(1).map((atMs, i) => atMs - (full[i] ?? 0)))
  }
}

test('in ordinary times, when a full claim is cheap, no claim ever has a floor', () => {
  const simulation = new Simulation()
  simulation.full = 2.5
  simulation.floored = 0.1
  expect(simulation.run(10_000)).toBe(0)
})

test('a full claim that is dear, and no dearer than a floored one, is only probed', () => {
  const simulation = new Simulation()
  simulation.full = 20
  simulation.floored = 18
  expect(simulation.run(20_000)).toBeLessThan(0.1)
  expect(simulation.floors.engaged).toBe(false)
})

test('floors engage soon when they pay, and then nearly all claims have one', () => {
  const simulation = new Simulation()
  simulation.full = 30
  simulation.floored = 1
  simulation.run(2_000)
  expect(simulation.floors.engaged).toBe(true)
  expect(simulation.run(10_000)).toBeGreaterThan(0.95)
})

test('while they are engaged everything is looked at once a second', () => {
  const simulation = new Simulation()
  simulation.full = 30
  simulation.floored = 1
  simulation.run(2_000)
  simulation.log.length = 0
  simulation.run(20_000)
  expect(simulation.longestWithoutFull).toBeGreaterThan(900)
  expect(simulation.longestWithoutFull).toBeLessThan(1_100)
})

test('full claims that take very long are made less often, and take five percent of the time', () => {
  const simulation = new Simulation()
  simulation.full = 500
  simulation.floored = 2
  simulation.run(20_000)
  simulation.log.length = 0
  const share = simulation.run(100_000)
  const full = simulation.log.filter(({ floored }) => !floored).length
  expect(share).toBeGreaterThan(0.95)
  expect((full * 500) / 100_000).toBeLessThan(0.06)
  expect(full).toBeGreaterThan(5)
})

test('a claim with floors that comes back short is followed by a full one', () => {
  const simulation = new Simulation()
  simulation.full = 30
  simulation.floored = 1
  simulation.run(2_000)
  while (!simulation.claim());
  simulation.found.set('a', 4)
  while (!simulation.claim());
  expect(simulation.claim()).toBe(false)
})

test('when the horizon is free again and full claims are cheap, floors go', () => {
  const simulation = new Simulation()
  simulation.full = 30
  simulation.floored = 1
  simulation.run(2_000)
  simulation.full = 1
  simulation.run(20_000)
  expect(simulation.floors.engaged).toBe(false)
})

test('a queue that is empty does not keep floors from the one beside it that has a backlog', () => {
  const simulation = new Simulation()
  simulation.found.set('idle', 0)
  simulation.full = 30
  simulation.floored = 1
  simulation.run(5_000)
  expect(simulation.floors.engaged).toBe(true)
  expect(simulation.run(10_000)).toBeGreaterThan(0.9)
})

test('a floor is where the last claim of the queue ended, and a queue that was never claimed from has none', () => {
  const floors = new Floors()
  const wanted = ['a', 'b'].map((queue) => ({ queue, limit: 2 }))
  const seen: unknown[] = []
  for (let n = 0; n < 200; n++) {
    const plan = floors.apply(wanted, n)
    const jobs = [jobAt(1, 5), jobAt(2, 3)]
    const tookMs = plan.wanted.some(({ floor }) => floor) ? 1 : 100
    floors.learn({ ...plan, jobs, tookMs, nowMs: n })
    seen.push(...plan.wanted.flatMap(({ queue, floor }) => (floor ? [{ queue, ...floor }] : [])))
  }
  expect(seen.length).toBeGreaterThan(100)
  expect(seen).toEqual(seen.map(() => ({ queue: 'a', priority: 2, scheduledForMs: 3 })))
  expect(floors.engaged).toBe(true)
})
