import { setTimeout as sleep } from 'node:timers/promises'
import type { PgqEvents, TransactionalJobContext } from '@pgq/core'
import type { Terms } from '../history/records.ts'
import { type Actor, gate, type Stage } from './stage.ts'

/** A story in which a broken package shows itself. The unbroken one comes through it without a violation. */
export interface Scenario {
  readonly play: (stage: Stage) => Promise<void>
  /** What the checker has to know, besides the usual. */
  readonly terms?: Partial<Terms>
  readonly leaseMs?: number
  /** It crashes the server, or counts what others could cause as well: nothing else runs beside it. */
  readonly alone?: boolean
}

const QUEUE = 'story'

/** The stories, by name. */
export const SCENARIOS = {
  /** A worker is cut off, its jobs are taken over, and what it had sent arrives while the new holder is at work. */
  zombie: { play: zombie },
  /** A running job is cancelled and started again; its worker takes it while the first handler still runs. */
  revived: { play: revived, leaseMs: 20_000 },
  /** Two claims of one job end in one process while a settle is under way: the next one settles both. */
  'same-batch': { play: sameBatch, leaseMs: 60_000 },
  /** What jobs do in quiet times: they are snoozed, fail, wait for their time, and die. */
  life: { play: life },
  /** A worker is late, and comes back before it is declared lost. */
  suspicion: { play: suspicion, leaseMs: 2_000 },
  /** A worker is gone for good, with one job that may run again and one that may not. */
  'dead-worker': { play: deadWorker },
  /** The connection is cut before the COMMIT of a handler reaches the server. */
  'lost-commit': { play: lostCommit, terms: { transactionalQueues: [QUEUE] } },
  /** One worker that runs one job at a time, and a backlog. */
  'small-room': { play: smallRoom, terms: { maxHeld: 5, orderedQueues: [QUEUE] } },
  /** Two workers with more room than the limits of their queue, and groups that have work. */
  limited: { play: limited, terms: { limits: { [QUEUE]: { concurrency: 2, perGroup: 1 } } } },
  /** The clocks of the workers are a minute late. */
  'slow-clock': { play: slowClock },
  /** No notifications, and a job that comes when the worker is idle. */
  deaf: { play: deaf, leaseMs: 60_000 },
  /** Two cancel the same jobs, named in opposite orders. */
  'crossing-batches': { play: crossingBatches, alone: true },
  /** The answer to an enqueue is lost after its commit. */
  'lost-answer': { play: lostAnswer },
  /** Connections are terminated while a handler is in its transaction. */
  'cut-transaction': { play: cutTransaction, terms: { transactionalQueues: [QUEUE] } },
  /** A running job is cancelled from outside. */
  cancelled: { play: cancelled },
  /** Two jobs with the same key. */
  'same-key': { play: sameKey },
  /** A job that waits for one with the same key that runs. */
  serial: { play: serial, terms: { unique: { [QUEUE]: { serial: true } } } },
  /** A job with the key of one that is completed, within its period. */
  periodic: { play: periodic, terms: { unique: { [QUEUE]: { periodMs: 60_000 } } } },
  /** A schedule that ticks each second, and two workers that would run it, held up together at one tick. */
  ticking: { play: ticking },
  /** The server crashes right after an enqueue was acknowledged. */
  'crash-after-enqueue': { play: crashAfterEnqueue, alone: true },
  /** The server crashes right after a completion was told of. */
  'crash-after-settle': { play: crashAfterSettle, alone: true, leaseMs: 60_000 },
} as const satisfies Record<string, Scenario>

/** The name of a story. */
export type ScenarioName = keyof typeof SCENARIOS

async function zombie(stage: Stage): Promise<void> {
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

async function revived(stage: Stage): Promise<void> {
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
  await b.pgq.retry(id)
  await stage.until(() => begun === 2, 3_000)
  gates[0]?.open()
  await sleep(600)
  gates[1]?.open()
  await stage.drained()
}

async function sameBatch(stage: Stage): Promise<void> {
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
  await b.pgq.retry(id)
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

async function life(stage: Stage): Promise<void> {
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

async function suspicion(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  const [inHand, goOn] = [gate(), gate()]
  await stage.work(b, [stage.handler(b, stage.core.defineQueue('other'), async () => {})])
  await stage.work(
    a,
    [
      stage.handler(a, queue, async () => {
        inHand.open()
        await goOn.opened
      }),
    ],
    { maintenance: false },
  )
  await stage.enqueue(a, queue)
  await inHand.opened
  // The rescuer has to have seen the database for a lease.
  await sleep(stage.leaseMs * 1.2)
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
  goOn.open()
  await stage.work(b, [stage.handler(b, queue, async () => {})])
  await stage.drained()
}

async function deadWorker(stage: Stage): Promise<void> {
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

async function lostCommit(stage: Stage): Promise<void> {
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

async function smallRoom(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  // All are there before the first claim, and their order is that of their times.
  for (let i = 0; i < 12; i++) await stage.enqueue(a, queue, { priority: i % 3 })
  await stage.work(a, [stage.handler(a, queue, () => sleep(60), { concurrency: 1 })])
  await stage.drained()
}

async function limited(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue<{ ticket: string }, { ticket: string }>(QUEUE, {
    group: ({ ticket }) => `group-${Number(ticket.split('-').at(-1)) % 3}`,
    limits: { concurrency: 2, perGroup: { concurrency: 1 } },
  })
  const actors = [await stage.actor('a'), await stage.actor('b')] as const
  for (let i = 0; i < 9; i++) await stage.enqueue(actors[0], queue)
  for (const actor of actors)
    await stage.work(actor, [stage.handler(actor, queue, () => sleep(40), { concurrency: 6 })])
  await stage.drained()
}

async function slowClock(stage: Stage): Promise<void> {
  const trueNow = Date.now
  Date.now = () => trueNow() - 60_000
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  const part = (): Promise<void> => sleep(4 * stage.leaseMs)
  for (const actor of [a, b]) await stage.work(actor, [stage.handler(actor, queue, part)])
  await stage.enqueue(a, queue)
  await stage.drained()
  Date.now = trueNow
}

async function deaf(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  await stage.work(a, [stage.handler(a, queue, async () => {})], { listen: false })
  await sleep(500)
  await stage.enqueue(b, queue)
  await stage.drained()
}

async function crossingBatches(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  const ids: string[] = []
  for (let i = 0; i < 9; i++) ids.push((await stage.enqueue(a, queue, { delay: '1h' })) ?? '')
  // Whoever holds the one in the middle makes both wait there, each with its half locked.
  const [person, watcher] = [await stage.session(), await stage.session()]
  await person.query('BEGIN')
  await person.query('SELECT FROM pgq.jobs WHERE id = $1 FOR UPDATE', [ids[4]])
  const both = Promise.all([a.pgq.cancel(ids), b.pgq.cancel(ids.toReversed())])
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

async function lostAnswer(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  const eaten = a.proxy.trap(/enqueue_(many|alike)/, 5_000)
  await stage.enqueue(a, queue)
  await eaten
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.drained()
}

async function cutTransaction(stage: Stage): Promise<void> {
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

async function cancelled(stage: Stage): Promise<void> {
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

async function sameKey(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const [a, b] = [await stage.actor('a'), await stage.actor('b')]
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await stage.enqueue(b, queue, { uniqueKey: 'one' })
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.drained()
}

async function serial(stage: Stage): Promise<void> {
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

async function periodic(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE, { unique: { key: 'one', period: '1m' } })
  const a = await stage.actor('a')
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await stage.drained()
  await stage.enqueue(a, queue, { uniqueKey: 'one' })
  await stage.drained()
}

async function ticking(stage: Stage): Promise<void> {
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

async function crashAfterEnqueue(stage: Stage): Promise<void> {
  const queue = stage.core.defineQueue(QUEUE)
  const a = await stage.actor('a')
  for (let i = 0; i < 5; i++) await stage.enqueue(a, queue)
  await stage.crash()
  await stage.work(a, [stage.handler(a, queue, async () => {})])
  await stage.drained()
}

async function crashAfterSettle(stage: Stage): Promise<void> {
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

/** The jobs whose fate an actor has been told of. */
function told({ pgq }: Actor): string[] {
  const jobs: string[] = []
  for (const name of ['job.completed', 'job.lost', 'job.failed'] as const)
    pgq.events.on(name, ({ job }: PgqEvents[typeof name]) => void jobs.push(job.id))
  return jobs
}
