// What is enqueued once, and is there once.
import { setTimeout as sleep } from 'node:timers/promises'
import { gate, type Stage } from '../stage.ts'
import { QUEUE } from './queue.ts'

export async function lostAnswer(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  const eaten = a.proxy.trap(/enqueue_(many|alike)/, 5_000)
  await stage.enqueue(a, queue)
  await eaten
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.drained()
}

export async function sameKey(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await stage.enqueue(b, queue, { uniqueKey: 'one' })
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.drained()
}

export async function serial(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE, {
    unique: { key: 'one', onConflict: 'replace' },
  })
  const a = await stage.actor('a')
  const [inHand, goOn] = [gate(), gate()]
  await stage.work(a, [
    stage.handler(
      a,
      queue,
      async () => {
        inHand.open()
        await goOn.opened
      },
      { concurrency: 5 },
    ),
  ])
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await inHand.opened
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await sleep(400)
  goOn.open()
  await stage.drained()
}

export async function periodic(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE, { unique: { key: 'one', period: '1m' } })
  const a = await stage.actor('a')
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await stage.drained()
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await stage.drained()
}

export async function ticking(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const schedules = [stage.core.schedule(queue, { every: '1s' }, { ticket: 'tick' })]
  const watcher = await stage.session()
  for (const name of ['a', 'b']) {
    const actor = await stage.actor(name)
    await stage.work(actor, [stage.handler(actor, queue, async () => {})], { schedules })
  }
  const ticked = async (): Promise<boolean> =>
    (await watcher.query('SELECT FROM pgq.jobs LIMIT 2')).rows.length === 2
  await stage.until(ticked)
  // Whoever runs the next tick has moved the schedule on, and waits here.
  await watcher.query('BEGIN')
  await watcher.query('LOCK TABLE pgq.jobs_waiting IN SHARE MODE')
  await stage.until(async () => {
    const { rows } = await watcher.query(
      `SELECT count(*)::integer AS waiting FROM pg_locks AS wait JOIN pg_stat_activity AS activity USING (pid)
       WHERE NOT wait.granted AND activity.datname = current_database() AND activity.query LIKE '%run_ticks%'`,
    )
    return rows[0].waiting === 2
  }, 2_500)
  await watcher.query('COMMIT')
  await sleep(300)
  await watcher.query('UPDATE pgq.schedules SET paused_at = clock_timestamp()')
  await stage.drained()
}

export async function crashAfterEnqueue(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  for (let i = 0; i < 5; i++) await stage.enqueue(a, queue)
  await stage.crash()
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.drained()
}
