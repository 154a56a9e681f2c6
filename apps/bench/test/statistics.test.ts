import { expect, test } from 'vitest'
import { median, percentile, ratio, rounded } from '../src/statistics.ts'

test('the median is the middle, or lies between the two middle ones', () => {
  expect(median([30, 10, 20])).toBe(20)
  expect(median([40, 10, 30, 20])).toBe(25)
  expect(median([7])).toBe(7)
  expect(median([])).toBeNaN()
})

test('sorting is by number, and leaves the list as it is', () => {
  const values = [100, 9, 1_000]
  expect(median(values)).toBe(100)
  expect(values).toEqual([100, 9, 1_000])
})

test('percentiles are interpolated', () => {
  const values = Array.from({ length: 101 }, (_, index) => index)
  expect(percentile(values, 95)).toBe(95)
  expect(percentile(values, 99)).toBe(99)
  expect(percentile(values, 100)).toBe(100)
  expect(percentile([0, 10], 95)).toBeCloseTo(9.5)
})

test('a ratio above 1 means that we are better, whichever way the figure goes', () => {
  expect(ratio(300, 100, 'higher')).toBe(3)
  expect(ratio(2, 4, 'lower')).toBe(2)
  expect(ratio(50, 100, 'higher')).toBe(0.5)
  expect(ratio(4, 2, 'lower')).toBe(0.5)
})

test('three digits are enough', () => {
  expect(rounded(91_234.5)).toBe(91_235)
  expect(rounded(0.123_456)).toBe(0.123)
  expect(rounded(12.345)).toBe(12.3)
})
