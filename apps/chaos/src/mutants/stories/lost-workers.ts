// A worker is gone, late, or was given up.
import { setTimeout as sleep } from 'node:timers/promises'
import type { PgqEvents } from '@pgq/core'
import { type Actor, gate, type Stage } from '../stage.ts'
import { QUEUE } from './queue.ts'

export async function zombie(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE, { backoff: stage.core.fixed('100ms') })
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  const [inHandA, inHandB, goOnB] = [gate(), gate(), gate()]
  const goOnA = gate()
  const toldA = told(a)
  await stage.work(a, [
    stage.handler(a, queue, async ({ fence }, ctx) => {
      inHandA.open()
      await goOnA.opened
      // Both are sent into the silence, and arrive later.
      void ctx.progress({ fence }).catch(() => {})
    }),
  ])
  const id = await stage.enqueue(a, queue)
  await inHandA.opened
  a.proxy.stall()
  goOnA.open()
  const second = await stage.work(b, [
    stage.handler(b, queue, async () => {
      inHandB.open()
      await goOnB.opened
    }),
  ])
  const isTaken = await Promise.race([inHandB.opened.then(() => true), sleep(10_000, false)])
  a.proxy.resume()
  if (isTaken) await stage.until(() => toldA.some((job) => job === id))
  // What is wrong shows when the database had time to take it in, and the new holder is still at work.
  await sleep(400)
  goOnB.open()
  await stage.drained()
  // Whoever was cut off works again, alone.
  await second.stop()
  await stage.enqueue(b, queue)
  await stage.drained()
}

export async function suspicion(stage: Stage): Promise<void> {
  const { a, end } = await holdUnderWatch(stage)
  a.proxy.stall()
  const person = await stage.session()
  await stage.until(async () => {
    const { rowCount } = await person.query(
      `SELECT FROM pgq.workers WHERE name = 'a' AND suspect_since IS NOT NULL`,
    )
    return (rowCount ?? 0) > 0
  })
  // Longer than from one look of the rescuer to the next, and shorter than it has patience.
  await sleep(300)
  a.proxy.resume()
  await sleep(1_000)
  await end()
}

export async function deadWorker(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE, { maxAttempts: 3, backoff: stage.core.fixed('100ms') })
  const once = stage.core.defineQueue('once', { maxAttempts: 1 })
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  let inHand = 0
  const forever = async (): Promise<void> => {
    inHand++
    await new Promise(() => {})
  }
  await stage.work(a, [stage.handler(a, queue, forever), stage.handler(a, once, forever)])
  await stage.enqueue(a, queue)
  await stage.enqueue(a, once)
  await stage.until(() => inHand === 2)
  a.proxy.stall()
  await stage.work(b, [stage.handler(b, queue, async () => {}), stage.handler(b, once, async () => {})])
  await stage.drained()
}

export async function slowClock(stage: Stage): Promise<void> {
  const trueNow = Date.now
  Date.now = () => trueNow() - 60_000
  const { a, end } = await holdUnderWatch(stage)
  // Longer than the rescuer has patience with a lease that is over, and too short for one to end.
  a.proxy.stall()
  await sleep(stage.leaseMs * 0.6)
  a.proxy.resume()
  await end()
  Date.now = trueNow
}

/** A job that `a` has in hand until the `end`, and a rescuer, `b`, who has seen the database for a whole lease. */
async function holdUnderWatch(stage: Stage): Promise<{ a: Actor; end: () => Promise<void> }> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  const [inHand, goOn] = [gate(), gate()]
  await stage.work(b, [stage.handler(b, stage.core.defineQueue('other'), async () => {})])
  const holding = stage.handler(a, queue, async () => {
    inHand.open()
    await goOn.opened
  })
  await stage.work(a, [holding], { maintenance: false })
  await stage.enqueue(a, queue)
  await inHand.opened
  await sleep(stage.leaseMs * 1.2)
  const end = async (): Promise<void> => {
    goOn.open()
    await stage.work(b, [stage.handler(b, queue, async () => {})])
    await stage.drained()
  }
  return { a, end }
}

/** The jobs whose fate an actor has been told of. */
function told({ pgq }: Actor): string[] {
  const jobs: string[] = []
  for (const name of ['job.completed', 'job.lost', 'job.failed'] as const)
    pgq.events.on(name, ({ job }: PgqEvents[typeof name]) => void jobs.push(job.id))
  return jobs
}
