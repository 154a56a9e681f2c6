import { until, work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { defineQueue, handle, schedule, type UniqueOptions } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { guestOf } from './support/guest.ts'

const FORMS: [string, UniqueOptions<{ id: number }>, object][] = [
  ['skip', { fields: ['id'] }, { deduplicated: true }],
  ['replace', { fields: ['id'], onConflict: 'replace' }, { deduplicated: true, replaced: true }],
  ['debounce', { key: 'k', onConflict: { debounce: '1m', maxWait: '5m' } }, { deduplicated: true }],
  ['a period', { key: 'k', period: '1h' }, { deduplicated: true }],
]

test.each(FORMS)(
  'a role that has only rights to the rows enqueues unique jobs: %s',
  async (_, unique, second) => {
    const guest = await guestOf(await freshQueue())
    const queue = defineQueue<{ id: number }>('mail', { unique })
    expect(await guest.enqueue(queue, { id: 1 })).toMatchObject({ deduplicated: false })
    expect(await guest.enqueue(queue, { id: 1 })).toMatchObject(second)
  },
)

test('such a role works on a queue with limits and groups, ticks, pauses, holds back and cancels', async () => {
  const guest = await guestOf(await freshQueue())
  const queue = defineQueue<{ tenant: string }>('mail', {
    group: ({ tenant }) => tenant,
    limits: { concurrency: 2, rate: { limit: 1_000, per: '1s' }, perGroup: { concurrency: 1 } },
    unique: { fields: ['tenant'], onConflict: 'replace' },
  })
  const done: string[] = []
  guest.events.on('job.completed', ({ job }) => void done.push(job.id))
  await work(guest, [handle(queue, () => {})], {
    schedules: [schedule(queue, { every: '1s' }, { tenant: 'clock' })],
  })
  const { id } = await guest.enqueue(queue, { tenant: 'acme' })
  await until('two jobs are done', () => done.includes(id) && done.length > 1)
  await guest.holdBack(queue, { group: 'acme', for: '1m' })
  const held = await guest.enqueue(queue, { tenant: 'acme' })
  expect(await guest.pause(queue)).toBe(true)
  expect(await guest.resume(queue)).toBe(true)
  expect((await guest.explain(held.id))?.reasons).not.toEqual([])
  expect(await guest.cancel(held.id)).toBe(1)
})
