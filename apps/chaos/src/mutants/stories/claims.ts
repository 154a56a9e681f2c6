// Who claims what, and when.
import { setTimeout as sleep } from 'node:timers/promises'
import { rateOf } from '../../work/queues.ts'
import { gate, type Stage } from '../stage.ts'
import { PACE, QUEUE } from './queue.ts'

export async function smallRoom(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  // All are there before the first claim, and their order is that of their times.
  for (let i = 0; i < 12; i++) await stage.enqueue(a, queue, { priority: i % 3 })
  await stage.work(a, [stage.handler(a, queue, () => sleep(60), { concurrency: 1 })])
  await stage.drained()
}

/** Three groups press on what there is for the queue; half of the jobs are of one, which has it for itself in the end. */
const fewAndMany = ({ ticket }: { ticket: string }): string =>
  ['some', 'few', 'many', 'many'][Number(ticket.split('-').at(-1)) % 4] ?? ''

export async function limited(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue<{ ticket: string }, { ticket: string }>(QUEUE, {
    group: fewAndMany,
    limits: { concurrency: 2, perGroup: { concurrency: 1 } },
  })
  const actors = [await stage.actor('a'), await stage.actor('b')] as const
  for (let i = 0; i < 12; i++) await stage.enqueue(actors[0], queue)
  for (const actor of actors)
    await stage.work(actor, [stage.handler(actor, queue, () => sleep(120), { concurrency: 6 })])
  await stage.drained()
}

/** All together press on the rate of the queue, and the larger group then on its own. */
export async function paced(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue<{ ticket: string }, { ticket: string }>(QUEUE, {
    group: fewAndMany,
    limits: { rate: rateOf(PACE.queue), perGroup: { rate: rateOf(PACE.group) } },
  })
  const actors = [await stage.actor('a'), await stage.actor('b')] as const
  for (let i = 0; i < 18; i++) await stage.enqueue(actors[0], queue)
  for (const actor of actors)
    await stage.work(actor, [stage.handler(actor, queue, async () => {}, { concurrency: 6 })])
  await stage.drained()
}

export async function paused(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.switchQueue(b, queue, 'paused')
  await stage.enqueue(b, queue)
  await sleep(400)
  await stage.switchQueue(b, queue, 'resumed')
  await stage.drained()
}

export async function inDoubt(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  const [inHand, goOn] = [gate(), gate()]
  let runs = 0
  await stage.work(a, [
    stage.handler(a, queue, async () => {
      if (runs++ > 0) return
      inHand.open()
      await goOn.opened
    }),
  ])
  await stage.enqueue(a, queue)
  await inHand.opened
  await sleep(400)
  const isLost = a.proxy.trap(/claim/, 5_000)
  const b = await stage.actor('b')
  await stage.enqueue(b, queue)
  await isLost
  // Long enough to look for what was claimed, some times.
  await sleep(1_500)
  goOn.open()
  await stage.drained()
}

export async function deaf(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  await stage.work(a, [stage.handler(a, queue, async () => {})], { listen: false })
  await sleep(500)
  await stage.enqueue(b, queue)
  await stage.drained()
}
