// What commits together, and in which order rows are locked.
import { setTimeout as sleep } from 'node:timers/promises'
import type { TransactionalJobContext } from '@pgq/core'
import { gate, type Stage } from '../stage.ts'
import { QUEUE } from './queue.ts'

export async function lostCommit(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE, { backoff: stage.core.fixed('100ms') })
  const a = await stage.actor('a')
  let cut: Promise<boolean> | undefined
  const part = async ({ id, fence }: { id: string; fence: number }, ctx: object): Promise<void> => {
    await (ctx as TransactionalJobContext).tx.query('INSERT INTO chaos.effects VALUES ($1, $2)', [id, fence])
    cut ??= a.proxy.trap(/COMMIT\0/, 5_000, true)
  }
  // Maintenance has transactions of its own.
  await stage.work(a, [stage.handler(a, queue, part, { transactional: true })], { maintenance: false })
  await stage.enqueue(a, queue)
  await stage.until(() => cut !== undefined)
  await cut
  await stage.drained()
}

export async function crossingBatches(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  const ids: string[] = []
  for (let i = 0; i < 9; i++) ids.push((await stage.enqueue(a, queue, { delay: '1h' })) ?? '')
  // Whoever holds the one in the middle makes both wait there, each with its half locked.
  const [person, watcher] = [await stage.session(), await stage.session()]
  await person.query('BEGIN')
  await person.query('SELECT FROM pgq.jobs WHERE id = $1 FOR UPDATE', [ids[4]])
  const both = Promise.all([stage.cancel(a, ...ids), stage.cancel(b, ...ids.toReversed())])
  await stage.until(async () => {
    const { rows } = await watcher.query(
      `SELECT count(*)::integer AS waiting FROM pg_stat_activity
       WHERE datname = current_database() AND application_name IN ('a', 'b') AND wait_event_type = 'Lock'`,
    )
    return rows[0].waiting === 2
  })
  await person.query('ROLLBACK')
  await both.catch(() => {})
  await stage.drained()
}

export async function cutTransaction(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE, { backoff: stage.core.fixed('100ms') })
  const a = await stage.actor('a')
  const [inHand, goOn] = [gate(), gate()]
  await stage.work(a, [
    stage.handler(
      a,
      queue,
      async ({ id, fence }, ctx) => {
        await (ctx as TransactionalJobContext).tx.query('INSERT INTO chaos.effects VALUES ($1, $2)', [
          id,
          fence,
        ])
        inHand.open()
        await goOn.opened
      },
      { transactional: true },
    ),
  ])
  await stage.enqueue(a, queue)
  await inHand.opened
  const person = await stage.session()
  await person.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'a'`)
  await sleep(300)
  goOn.open()
  await stage.drained()
}

export async function crashAfterSettle(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  const completed = gate()
  a.pgq.events.on('job.completed', () => completed.open())
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  // Let it settle down: whatever it commits durably later on would carry the outcome to the disk.
  await sleep(1_000)
  await stage.enqueue(a, queue)
  await completed.opened
  await stage.crash()
  await stage.drained()
}
