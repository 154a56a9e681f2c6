import { expect, test } from 'vitest'
import { Random } from '../src/random.ts'

const draw = (random: Random): number[] => Array.from({ length: 20 }, () => random.integer(1, 1_000_000))

test('the same seed gives the same numbers, another one others', () => {
  expect(draw(new Random(7))).toEqual(draw(new Random(7)))
  expect(draw(new Random(7))).not.toEqual(draw(new Random(8)))
})

test('what a fork draws changes nothing for the others', () => {
  const [one, other] = [new Random(7), new Random(7)]
  draw(one.fork())
  other.fork()
  expect(draw(one)).toEqual(draw(other))
})

test('shuffling keeps everything, and both ends of a range occur', () => {
  const random = new Random(1)
  expect(random.shuffle(['a', 'b', 'c', 'd']).toSorted()).toEqual(['a', 'b', 'c', 'd'])
  const drawn = new Set(Array.from({ length: 200 }, () => random.integer(1, 3)))
  expect(drawn).toEqual(new Set([1, 2, 3]))
})
