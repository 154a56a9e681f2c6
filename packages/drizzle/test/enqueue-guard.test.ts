import { expect, it } from 'vitest'
import { EnqueueGuard } from '../src/enqueue-guard.ts'

const done = { id: '00000000-0000-7000-8000-000000000000', deduplicated: false }
const later = (): Promise<typeof done> => new Promise((resolve) => setImmediate(() => resolve(done)))

it('refuses from the moment on that nothing is under way: what comes between that and COMMIT would fail unnoticed', async () => {
  const guard = new EnqueueGuard()
  let begun = 0
  const enqueue = async () => (begun++, done)
  await guard.watch(enqueue)
  await guard.flush()
  await expect(guard.watch(enqueue)).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' })
  expect(begun).toBe(1)
})

it('waits for what an enqueue leads to, and tells the first failure that nobody heard of', async () => {
  const guard = new EnqueueGuard()
  void guard.watch(later).then(() => void guard.watch(() => Promise.reject(new Error('second'))))
  const heard = guard.watch(() => Promise.reject(new Error('first')))
  await expect(heard).rejects.toThrow('first')
  await expect(guard.flush()).rejects.toThrow('second')
  expect(guard.failures).toEqual([new Error('first'), new Error('second')])
})
