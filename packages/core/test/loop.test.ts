import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Loop } from '../src/runtime/loop.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const noErrors = (error: unknown): never => {
  throw error
}

interface End {
  readonly resolve: (waitMs: number) => void
  readonly reject: (error: unknown) => void
}

/** A step that the test finishes. */
function manualStep() {
  const ends: End[] = []
  const last = (): End => {
    const end = ends.at(-1)
    if (end === undefined) throw new Error('no step has begun')
    return end
  }
  return {
    step: (): Promise<number> => new Promise((resolve, reject) => ends.push({ resolve, reject })),
    steps: () => ends.length,
    finish: async (waitMs: number): Promise<void> => {
      last().resolve(waitMs)
      await vi.advanceTimersByTimeAsync(0)
    },
    fail: async (error: unknown): Promise<void> => {
      last().reject(error)
      await vi.advanceTimersByTimeAsync(0)
    },
  }
}

test('it waits as long as its step says', async () => {
  const { step, steps, finish } = manualStep()
  const loop = new Loop({ step, onError: noErrors })
  await loop.start()
  expect(steps()).toBe(1)
  await finish(1_000)
  await vi.advanceTimersByTimeAsync(999)
  expect(steps()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(steps()).toBe(2)
  await finish(0)
  expect(steps()).toBe(3)
  const stopping = loop.stop()
  await finish(1_000)
  await stopping
})

test('a wake-up cuts the wait short', async () => {
  const { step, steps, finish } = manualStep()
  const loop = new Loop({ step, onError: noErrors })
  await loop.start()
  await finish(60_000)
  loop.wake()
  await vi.advanceTimersByTimeAsync(0)
  expect(steps()).toBe(2)
})

test('a wake-up during a step is not slept through', async () => {
  const { step, steps, finish } = manualStep()
  const loop = new Loop({ step, onError: noErrors })
  await loop.start()
  loop.wake()
  loop.wake()
  await finish(60_000)
  expect(steps()).toBe(2)
  await finish(60_000)
  expect(steps(), 'two wake-ups are one').toBe(2)
})

test('a step never runs twice at once, however often it is started and woken', async () => {
  let running = 0
  let steps = 0
  const loop = new Loop({
    step: async () => {
      expect(++running).toBe(1)
      steps++
      await new Promise((resolve) => setTimeout(resolve, 7))
      running--
      return 3
    },
    onError: noErrors,
  })
  for (let n = 0; n < 50; n++) {
    await loop.start()
    loop.wake()
    await vi.advanceTimersByTimeAsync(2)
  }
  const stopping = loop.stop()
  await vi.advanceTimersByTimeAsync(20)
  await stopping
  expect(steps).toBeGreaterThan(5)
  expect(vi.getTimerCount()).toBe(0)
})

test('after an error it pauses, longer each time, and wake-ups do not make it a busy loop', async () => {
  const errors: unknown[] = []
  const { step, steps, fail, finish } = manualStep()
  const loop = new Loop({ step, onError: (error) => errors.push(error), pauseMs: 100, maxPauseMs: 400 })
  await loop.start()
  for (const [index, pauseMs] of [100, 200, 400, 400].entries()) {
    await fail(new Error(`failure ${index}`))
    loop.wake()
    await vi.advanceTimersByTimeAsync(pauseMs * 0.5 - 1)
    expect(steps(), `pause of ${pauseMs}`).toBe(index + 1)
    await vi.advanceTimersByTimeAsync(pauseMs + 2)
    expect(steps(), `pause of ${pauseMs}`).toBe(index + 2)
  }
  expect(errors).toHaveLength(4)
  await finish(0)
  await fail(new Error('again'))
  await vi.advanceTimersByTimeAsync(151)
  expect(steps(), 'a success starts the pauses anew').toBe(7)
})

test('a step that throws at once is an error like any other', async () => {
  const errors: unknown[] = []
  const loop = new Loop({
    step: () => {
      throw new Error('at once')
    },
    onError: (error) => errors.push(error),
  })
  await loop.start()
  await vi.advanceTimersByTimeAsync(0)
  expect(errors).toHaveLength(1)
  await loop.stop()
})

test('stop waits for the step, cuts waits and pauses short, and leaves no timer', async () => {
  for (const waitMs of [60_000, 0]) {
    const { step, finish, fail } = manualStep()
    const loop = new Loop({ step, onError: () => {} })
    await loop.start()
    if (waitMs > 0) await finish(waitMs)
    let stopped = false
    const stopping = loop.stop().then(() => (stopped = true))
    await vi.advanceTimersByTimeAsync(0)
    expect(stopped).toBe(waitMs > 0)
    await fail(new Error('the last'))
    await stopping
    expect(vi.getTimerCount()).toBe(0)
  }
})

test('it can be stopped before it is started, twice, and started again', async () => {
  const { step, steps, finish } = manualStep()
  const loop = new Loop({ step, onError: noErrors })
  await loop.stop()
  await loop.start()
  await finish(60_000)
  await Promise.all([loop.stop(), loop.stop()])
  await loop.start()
  expect(steps()).toBe(2)
  await finish(60_000)
  await loop.stop()
})

test('a start that comes while a stop is under way leaves it running, and both resolve', async () => {
  const { step, steps, finish } = manualStep()
  const loop = new Loop({ step, onError: noErrors })
  await loop.start()
  let stopped = false
  const stopping = loop.stop().then(() => (stopped = true))
  const starting = loop.start()
  await finish(60_000)
  await starting
  await vi.advanceTimersByTimeAsync(0)
  expect(stopped).toBe(true)
  loop.wake()
  await vi.advanceTimersByTimeAsync(0)
  expect(steps()).toBeGreaterThanOrEqual(2)
  await stopping
})
