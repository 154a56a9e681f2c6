import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'

const invoices = defineQueue<{ id: number }>('invoices', { unique: { fields: ['id'] } })
const mails = defineQueue<number>('mails')

test('a key that an open transaction has taken holds up who wants it, and nobody else of the process', async () => {
  const { pgq, pool } = await freshQueue()
  const client = await pool.connect()
  await client.query('BEGIN')
  const first = await pgq.enqueue(invoices, { id: 1 }, { tx: client })
  let isHeldUp = true
  const same = [1, 2, 3, 4, 5].map(() => pgq.enqueue(invoices, { id: 1 }))
  void Promise.race(same).then(() => (isHeldUp = false))
  // In the same turn, and after it; with other keys, and without.
  const others = [pgq.enqueue(mails, 1), pgq.enqueue(invoices, { id: 2 }), pgq.enqueue(invoices, { id: 3 })]
  expect(await Promise.all(others)).toMatchObject([
    { deduplicated: false },
    { deduplicated: false },
    { deduplicated: false },
  ])
  expect(await pgq.enqueue(invoices, { id: 4 })).toMatchObject({ deduplicated: false })
  expect(await pgq.enqueue(mails, 2)).toMatchObject({ deduplicated: false })
  expect(isHeldUp).toBe(true)
  await client.query('COMMIT')
  client.release()
  expect(await Promise.all(same)).toEqual(same.map(() => ({ id: first.id, deduplicated: true })))
})

test('the key of a transaction that rolls back goes to who waited for it', async () => {
  const { pgq, pool } = await freshQueue()
  const client = await pool.connect()
  await client.query('BEGIN')
  await pgq.enqueue(invoices, { id: 1 }, { tx: client })
  const next = pgq.enqueue(invoices, { id: 1 })
  await pgq.enqueue(invoices, { id: 2 })
  await client.query('ROLLBACK')
  client.release()
  expect(await next).toMatchObject({ deduplicated: false })
})

test('two calls that enqueue the same keys in opposite orders both come through, though they lock them so', async () => {
  const { pgq } = await freshQueue()
  const up = Array.from({ length: 10_500 }, (_, id) => ({ id }))
  const [one, other] = await Promise.all([
    pgq.enqueueMany(invoices, up),
    pgq.enqueueMany(invoices, up.toReversed()),
  ])
  const standing = (results: typeof one): number => results.filter(({ deduplicated }) => !deduplicated).length
  expect(standing(one) + standing(other)).toBe(up.length)
})
