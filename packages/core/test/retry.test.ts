import { expect, test } from 'vitest'
import { backoffMs, backoffOption, DEFAULT_BACKOFF, isBackoffSpec } from '../src/retry/backoff.ts'
import {
  type Backoff,
  type BackoffSpec,
  type Duration,
  exponential,
  fixed,
  linear,
  list,
} from '../src/index.ts'
import { LONGEST_MS } from '../src/runtime/duration.ts'

const delays = (backoff: Backoff, attempts: number[], random = 0): number[] =>
  attempts.map((attempt) => backoffMs(backoff, attempt, new Error('no'), random))

test('by default the delay doubles from two seconds up to one hour', () => {
  expect(delays(DEFAULT_BACKOFF, [1, 2, 3, 4, 10])).toEqual([2_000, 4_000, 8_000, 16_000, 1_024_000])
  expect(delays(DEFAULT_BACKOFF, [11, 12, 100, 1_000_000])).toEqual([
    2_048_000, 3_600_000, 3_600_000, 3_600_000,
  ])
})

test('jitter adds up to ten percent and takes nothing away', () => {
  expect(delays(DEFAULT_BACKOFF, [1, 2, 3], 0.999_999)).toEqual([2_200, 4_400, 8_800])
  expect(delays(fixed('10s', { jitter: 1 }), [1], 0.999_999)).toEqual([20_000])
  expect(delays(fixed('10s', { jitter: 0 }), [1], 0.999_999)).toEqual([10_000])
  for (let i = 0; i < 1_000; i++) {
    const delay = backoffMs(DEFAULT_BACKOFF, 3, undefined)
    expect(delay).toBeGreaterThanOrEqual(8_000)
    expect(delay).toBeLessThanOrEqual(8_800)
  }
})

test('exponential takes a base, a factor and a maximum', () => {
  const backoff = exponential({ base: '1s', factor: 3, max: '20s' })
  expect(delays(backoff, [1, 2, 3, 4])).toEqual([1_000, 3_000, 9_000, 20_000])
  expect(delays(exponential({ base: '1m', max: '1s' }), [1])).toEqual([1_000])
})

test('linear grows by its step up to its maximum', () => {
  expect(delays(linear({ step: '5s', max: '12s' }), [1, 2, 3, 4])).toEqual([5_000, 10_000, 12_000, 12_000])
  expect(delays(linear({ step: '1h' }), [3])).toEqual([3_600_000])
})

test('fixed stays the same', () => {
  expect(delays(fixed(1_500), [1, 2, 99])).toEqual([1_500, 1_500, 1_500])
})

test('list goes through its delays and repeats the last', () => {
  expect(delays(list(['1s', '1m', '1h']), [1, 2, 3, 4, 50])).toEqual([
    1_000, 60_000, 3_600_000, 3_600_000, 3_600_000,
  ])
})

test('a function is asked with the attempt that failed and its error', () => {
  const error = new Error('rate limited')
  const asked: unknown[] = []
  const backoff: Backoff = (attempt, thrown) => {
    asked.push(attempt, thrown)
    return `${attempt}m`
  }
  expect(backoffMs(backoff, 3, error)).toBe(180_000)
  expect(asked).toEqual([3, error])
})

test('no delay is longer than a timestamp can hold, jitter included', () => {
  expect(backoffMs(fixed(LONGEST_MS, { jitter: 1 }), 1, undefined, 0.9)).toBe(LONGEST_MS)
})

test('every spec gives a finite delay for every attempt that a job can have', () => {
  const extremes: BackoffSpec[] = [
    exponential({ base: 0 }),
    exponential({ base: 0, factor: 100 }),
    exponential({ base: '1ms', factor: 100, max: LONGEST_MS, jitter: 1 }),
    linear({ step: LONGEST_MS, max: LONGEST_MS, jitter: 1 }),
    list([0]),
  ]
  for (const spec of extremes) {
    for (const attempt of [0, 1, 2, 155, 156, 1_025, 1_000_000]) {
      const delay = backoffMs(spec, attempt, undefined, 0.5)
      expect(delay, `${JSON.stringify(spec)} after attempt ${attempt}`).toSatisfy(
        (ms: number) => ms >= 0 && ms <= LONGEST_MS,
      )
    }
  }
})

const refused: [string, string, () => unknown][] = [
  ['a negative base', 'base', () => exponential({ base: -1 })],
  ['a factor below one', 'factor', () => exponential({ factor: 0.5 })],
  ['a factor above a hundred', 'factor', () => exponential({ factor: 101 })],
  ['a factor that is not a number', 'factor', () => exponential({ factor: Number.NaN })],
  ['a maximum that is not a duration', 'max', () => exponential({ max: '1 week' as Duration })],
  ['a jitter above one', 'jitter', () => exponential({ jitter: 1.1 })],
  ['a negative jitter', 'jitter', () => fixed(1, { jitter: -0.1 })],
  ['a linear backoff without a step', 'step', () => linear({} as { step: Duration })],
  ['a fixed backoff without a delay', 'delay', () => fixed(undefined as never)],
  ['an empty list', 'list', () => list([])],
  ['a list of more than a hundred', 'list', () => list(Array.from({ length: 101 }, () => 1))],
  ['a bad delay in a list', 'delay 2', () => list([1, 'soon' as Duration])],
  ['a list that is none', 'list', () => list('1s' as never)],
  ['a policy that is text', 'backoff', () => backoffOption('exponential')],
  ['a policy of an unknown type', 'backoff', () => backoffOption({ type: 'magic', jitter: 0 })],
  ['a policy that is null', 'backoff', () => backoffOption(null)],
]

test.each(refused)('%s is refused, naming %s', (_what, name, make) => {
  expect(make).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) }),
  )
})

test('a spec is recognised by its numbers, since a row can be written by hand', () => {
  for (const spec of [exponential(), linear({ step: 1 }), fixed(0), list(['1s'])])
    expect(isBackoffSpec(JSON.parse(JSON.stringify(spec)))).toBe(true)
  for (const wrong of [
    undefined,
    [],
    'fixed',
    { type: 'fixed', jitter: 0 },
    { type: 'fixed', delayMs: -1, jitter: 0 },
    { type: 'fixed', delayMs: 1, jitter: 2 },
    { type: 'fixed', delayMs: 1e300, jitter: 0 },
    { type: 'list', delaysMs: [], jitter: 0 },
    { type: 'list', delaysMs: [1, null], jitter: 0 },
    { type: 'exponential', baseMs: 1, maxMs: 1, factor: 0.5, jitter: 0 },
    { type: 'linear', stepMs: '1', maxMs: 1, jitter: 0 },
  ])
    expect(isBackoffSpec(wrong), JSON.stringify(wrong)).toBe(false)
})
