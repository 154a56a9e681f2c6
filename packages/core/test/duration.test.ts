import { expect, test } from 'vitest'
import type { Duration } from '../src/index.ts'
import { durationMs, LONGEST_MS } from '../src/runtime/duration.ts'

test.each([
  [0, 0],
  [1_500, 1_500],
  [1.4, 1],
  ['0s', 0],
  ['250ms', 250],
  ['30s', 30_000],
  ['1.5h', 5_400_000],
  ['5m', 300_000],
  ['7d', 604_800_000],
  ['36525d', LONGEST_MS],
] as [Duration, number][])('%s is %d ms', (duration, ms) => {
  expect(durationMs('delay', duration)).toBe(ms)
})

test.each([
  '',
  '5',
  's',
  '5 s',
  ' 5s',
  '5s ',
  '5s\n',
  '5S',
  '-5s',
  '+5s',
  '.5s',
  '5.s',
  '1e3s',
  '0x10s',
  '5w',
  '5sec',
  '1h30m',
  '٥s',
  Number.NaN,
  Number.POSITIVE_INFINITY,
  null,
  undefined,
  true,
  5n,
  Symbol('5s'),
  ['5s'],
  {},
  new Date(),
  Object('5s'),
])('%o is no duration', (value) => {
  expect(() => durationMs('delay', value as Duration)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(/^delay is /) }),
  )
})

test('bounds are inclusive and named in the message', () => {
  expect(durationMs('lease', '1s', { min: 1_000, max: 2_000 })).toBe(1_000)
  expect(durationMs('lease', '2s', { min: 1_000, max: 2_000 })).toBe(2_000)
  for (const outside of [999, 2_001, '3s'] as Duration[])
    expect(() => durationMs('lease', outside, { min: 1_000, max: 2_000 })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/lease.*1000 and 2000/),
      }),
    )
  for (const outside of [-1, LONGEST_MS + 1, '36526d'] as Duration[])
    expect(() => durationMs('delay', outside)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
})
