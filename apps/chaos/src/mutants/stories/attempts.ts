// What becomes of attempts while all goes well, and of those that somebody ends from outside.
import { setTimeout as sleep } from 'node:timers/promises'
import { gate, type Stage } from '../stage.ts'
import { QUEUE } from './queue.ts'

export async function revived(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  const gates = [gate(), gate()]
  let begun = 0
  // Without notifications, and with a long lease, the worker has not heard of the cancel when it settles.
  await stage.work(
    a,
    [stage.handler(a, queue, () => gates[begun++]?.opened ?? Promise.resolve(), { concurrency: 5 })],
    { listen: false },
  )
  const id = (await stage.enqueue(b, queue)) ?? ''
  await stage.until(() => begun === 1)
  await stage.cancel(b, id)
  await stage.retry(b, id)
  await stage.until(() => begun === 2)
  let told = 0
  for (const outcome of ['completed', 'lost'] as const) a.pgq.events.on(`job.${outcome}`, () => told++)
  gates[0]?.open()
  await stage.until(() => told > 0)
  gates[1]?.open()
  await stage.drained()
}

export async function sameBatch(stage: Stage): Promise<void> {
  const [queue, other] = [stage.core.defineQueue(QUEUE), stage.core.defineQueue('other')]
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  const [first, second, under] = [gate(), gate(), gate()]
  const gates = [first, second]
  let [begun, isOtherBegun, ended] = [0, false, 0]
  const part = async (): Promise<void> => {
    await gates[begun++]?.opened
    ended++
  }
  const block = async (): Promise<void> => {
    isOtherBegun = true
    await under.opened
  }
  await stage.work(a, [stage.handler(a, queue, part, { concurrency: 5 }), stage.handler(a, other, block)], {
    listen: false,
    maintenance: false,
  })
  const id = (await stage.enqueue(b, queue)) ?? ''
  await stage.until(() => begun === 1)
  await stage.cancel(b, id)
  await stage.retry(b, id)
  await stage.until(() => begun === 2)
  await stage.enqueue(b, other)
  await stage.until(() => isOtherBegun)
  a.proxy.stall()
  under.open()
  await sleep(300)
  // Whoever holds the claim ends first, so that what the other one left behind comes after it.
  second.open()
  await stage.until(() => ended === 1)
  await sleep(50)
  first.open()
  await stage.until(() => ended === 2)
  await sleep(200)
  a.proxy.resume()
  await stage.drained()
  await sleep(300)
}

export async function life(stage: Stage): Promise<void> {
  const { SnoozeJob, fixed } = stage.core
  const queue = stage.core.defineQueue(QUEUE, { maxAttempts: 2, backoff: fixed('100ms') })
  const a = await stage.actor('a')
  const snoozed = new Set<string>()
  await stage.work(a, [
    stage.handler(a, queue, async ({ id, payload: { ticket } }) => {
      if (ticket === 'a-1' && !snoozed.has(id)) {
        snoozed.add(id)
        return { end: 'snoozed', error: new SnoozeJob('100ms') }
      }
      if (ticket === 'a-2') return { end: 'threw', error: new Error('bad \0 byte') }
      return undefined
    }),
  ])
  await stage.enqueue(a, queue)
  await stage.enqueue(a, queue)
  await stage.enqueue(a, queue, { delay: '1500ms' })
  await stage.drained()
}

export async function cancelled(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  const inHand = gate()
  const goOn = gate()
  await stage.work(a, [
    stage.handler(a, queue, async () => {
      inHand.open()
      await goOn.opened
    }),
  ])
  const id = await stage.enqueue(a, queue)
  await inHand.opened
  if (id !== undefined) await stage.cancel(a, id)
  await sleep(400)
  goOn.open()
  await stage.drained()
  await sleep(200)
}

export async function heldBack(stage: Stage): Promise<void> {
  const { RateLimitJob } = stage.core
  const queue = stage.core.defineQueue<{ ticket: string }, { ticket: string }>(QUEUE, { group: () => 'g' })
  const a = await stage.actor('a')
  let isHeld = false
  a.pgq.events.on('job.released', () => (isHeld = true))
  await stage.work(a, [
    stage.handler(
      a,
      queue,
      async ({ fence, payload }) =>
        payload.ticket === 'a-1' && fence === 1
          ? { end: 'held-back', error: new RateLimitJob({ retryAfter: 600 }) }
          : undefined,
      { concurrency: 1 },
    ),
  ])
  await stage.enqueue(a, queue)
  await stage.until(() => isHeld, 2_000)
  await stage.enqueue(a, queue)
  await stage.drained()
}

export async function chunk(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue<{ ticket: string }, { ticket: string }>(QUEUE)
  const a = await stage.actor('a')
  for (let i = 0; i < 4; i++) await stage.enqueue(a, queue)
  const handler = stage.core.handleChunk(queue, async (jobs) => {
    for (const { id, fence, attempt, payload } of jobs) {
      await a.log.record({ op: 'start', job: id, fence, attempt, queue: QUEUE, ticket: payload.ticket })
      await a.log.record({ op: 'end', job: id, fence, how: 'returned' })
    }
    return jobs.map(({ fence, payload }) => ({ by: fence, for: payload.ticket }))
  })
  await stage.work(a, [handler])
  await stage.drained()
}
