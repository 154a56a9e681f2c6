import { expect, test } from 'vitest'
import type { ClaimedJob } from '../src/job/job.ts'
import { Holds } from '../src/worker/holds.ts'

const job = (queue: string, group: string | null) => ({ queue, group }) as ClaimedJob

test('a hold covers its group or its queue until the next claim begins, and very many cover the queue', () => {
  const holds = new Holds()
  for (let n = 0; n < 1_000; n++) holds.add('calls', `g${n}`)
  expect(holds.covers(job('calls', 'g999'))).toBe(true)
  for (const other of [job('calls', 'g1000'), job('calls', null), job('mails', 'g1')])
    expect(holds.covers(other)).toBe(false)
  holds.add('calls', 'one too many')
  expect(holds.covers(job('calls', null))).toBe(true)
  holds.add('mails', null)
  expect(holds.covers(job('mails', 'g1'))).toBe(true)
  holds.clear()
  expect([job('calls', 'g1'), job('calls', null), job('mails', null)].some(holds.covers)).toBe(false)
})
