// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the value
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Batcher } from '../src/runtime/batcher.ts'

const nothing = (): void => {}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what is added in one turn goes out together', async () => {
  const batches: number[][] = []
  const batcher = new Batcher<number>({ flush: async (items) => void batches.push(items), maxItems: 10 })
  for (const n of [1, 2, 3]) batcher.add(n)
  expect(batches).toEqual([])
  await batcher.idle()
  expect(batches).toEqual([[1, 2, 3]])
})

test('what is added while a batch is under way is the next one', async () => {
  const batches: number[][] = []
  let finish = nothing
  const batcher = new Batcher<number>({
    flush: (items) => {
      batches.push(items)
      return new Promise((resolve) => (finish = resolve))
    },
    maxItems: 10,
  })
  batcher.add(1)
  await turn()
  for (const n of [2, 3]) batcher.add(n)
  await turn()
  expect(batches).toEqual([[1]])
  expect(batcher.waiting).toBe(2)
  finish()
  await turn()
  expect(batches).toEqual([[1], [2, 3]])
  finish()
  await batcher.idle()
})

test('an item that is too heavy goes alone', async () => {
  const batches: number[][] = []
  const batcher = new Batcher<number>({
    flush: async (items) => void batches.push(items),
    maxItems: 10,
    maxWeight: 5,
    weigh: (n) => n,
  })
  for (const n of [9, 2, 3, 1, 7, 5]) batcher.add(n)
  await batcher.idle()
  expect(batches).toEqual([[9], [2, 3], [1], [7], [5]])
})

test('idle resolves at once when there is nothing to do, and again after more was added', async () => {
  let written = 0
  const batcher = new Batcher<number>({ flush: async (items) => void (written += items.length), maxItems: 2 })
  await batcher.idle()
  for (let round = 1; round <= 3; round++) {
    batcher.add(round)
    await batcher.idle()
    expect(written).toBe(round)
  }
})

test('whatever arrives when, everything is written once, in order, within the limits, one batch at a time', async () => {
  const arrivals = fc.array(
    fc.record({
      weight: fc.integer({ min: 0, max: 20 }),
      gap: fc.constantFrom<'none' | 'microtask' | 'turn'>('none', 'microtask', 'turn'),
    }),
    { maxLength: 60 },
  )
  const flushes = fc.array(fc.constantFrom<'sync' | 'turn' | 'turns'>('sync', 'turn', 'turns'), {
    minLength: 1,
  })
  await fc.assert(
    fc.asyncProperty(
      arrivals,
      flushes,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 30 }),
      async (items, speeds, maxItems, maxWeight) => {
        const batches: { id: number; weight: number }[][] = []
        let underWay = 0
        const batcher = new Batcher<{ id: number; weight: number }>({
          flush: async (batch) => {
            expect(++underWay).toBe(1)
            batches.push(batch)
            const speed = speeds[batches.length % speeds.length]
            if (speed !== 'sync') await turn()
            if (speed === 'turns') await turn()
            underWay--
          },
          maxItems,
          maxWeight,
          weigh: ({ weight }) => weight,
        })
        for (const [id, { weight, gap }] of items.entries()) {
          batcher.add({ id, weight })
          if (gap === 'microtask') await Promise.resolve()
          if (gap === 'turn') await turn()
        }
        await batcher.idle()
        expect(batches.flat().map(({ id }) => id)).toEqual(items.map((_, id) => id))
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0)
          expect(batch.length).toBeLessThanOrEqual(maxItems)
          const weight = batch.reduce((sum, item) => sum + item.weight, 0)
          if (batch.length > 1) expect(weight).toBeLessThanOrEqual(maxWeight)
        }
        expect(batcher.waiting).toBe(0)
      },
    ),
    { numRuns: 150 },
  )
})

test('a hundred thousand items at once are taken in linear time', async () => {
  let written = 0
  const batcher = new Batcher<number>({
    flush: async (items) => void (written += items.length),
    maxItems: 100,
  })
  const started = performance.now()
  for (let n = 0; n < 100_000; n++) batcher.add(n)
  await batcher.idle()
  expect(written).toBe(100_000)
  expect(performance.now() - started).toBeLessThan(2_000)
})
