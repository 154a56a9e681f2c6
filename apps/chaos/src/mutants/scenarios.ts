import type { Terms } from '../history/records.ts'
import type { Stage } from './stage.ts'
import * as attempts from './stories/attempts.ts'
import * as claims from './stories/claims.ts'
import * as enqueues from './stories/enqueues.ts'
import * as lostWorkers from './stories/lost-workers.ts'
import * as transactions from './stories/transactions.ts'
import { PACE, QUEUE } from './stories/queue.ts'

/** A story in which a broken package shows itself. The unbroken one comes through it without a violation. */
export interface Scenario {
  readonly play: (stage: Stage) => Promise<void>
  /** What the checker has to know, besides the usual. */
  readonly terms?: Partial<Terms>
  readonly leaseMs?: number
  /** It crashes the server, or counts what others could cause as well: nothing else runs beside it. */
  readonly alone?: boolean
}

/** The stories, by name. */
export const SCENARIOS = {
  /** A worker is cut off, its jobs are taken over, and what it had sent arrives while the new holder is at work. */
  zombie: { play: lostWorkers.zombie },
  /** A running job is cancelled and started again; its worker takes it while the first handler still runs. */
  revived: { play: attempts.revived, leaseMs: 20_000 },
  /** Two claims of one job end in one process while a settle is under way: the next one settles both. */
  'same-batch': { play: attempts.sameBatch, leaseMs: 60_000 },
  /** What jobs do in quiet times: they are snoozed, fail, wait for their time, and die. */
  life: { play: attempts.life },
  /** A worker is late, and comes back before it is declared lost. */
  suspicion: { play: lostWorkers.suspicion, leaseMs: 2_000 },
  /** A worker is gone for good, with one job that may run again and one that may not. */
  'dead-worker': { play: lostWorkers.deadWorker },
  /** The connection is cut before the COMMIT of a handler reaches the server. */
  'lost-commit': { play: transactions.lostCommit, terms: { transactionalQueues: [QUEUE] } },
  /** One worker that runs one job at a time, and a backlog. */
  'small-room': { play: claims.smallRoom, terms: { maxHeld: 5, orderedQueues: [QUEUE] } },
  /** Two workers with more room than the limits of their queue, and groups that have work. */
  limited: { play: claims.limited, terms: { limits: { [QUEUE]: { concurrency: 2, perGroup: 1 } } } },
  /** More jobs of two groups than may begin at once. */
  paced: {
    play: claims.paced,
    terms: {
      rates: { [QUEUE]: PACE },
    },
  },
  /** A handler holds its group back while others of it wait. */
  'held-back': { play: attempts.heldBack },
  /** Jobs come to a queue that is paused. */
  paused: { play: claims.paused },
  /** Jobs that are handled together. */
  chunk: { play: attempts.chunk },
  /** The answer to a claim is lost while a handler runs. */
  'in-doubt': { play: claims.inDoubt, leaseMs: 20_000 },
  /** The clocks of the workers are a minute late. */
  'slow-clock': { play: lostWorkers.slowClock },
  /** No notifications, and a job that comes when the worker is idle. */
  deaf: { play: claims.deaf, leaseMs: 60_000 },
  /** Two cancel the same jobs, named in opposite orders. */
  'crossing-batches': { play: transactions.crossingBatches, alone: true },
  /** The answer to an enqueue is lost after its commit. */
  'lost-answer': { play: enqueues.lostAnswer },
  /** Connections are terminated while a handler is in its transaction. */
  'cut-transaction': { play: transactions.cutTransaction, terms: { transactionalQueues: [QUEUE] } },
  /** A running job is cancelled from outside. */
  cancelled: { play: attempts.cancelled },
  /** Two jobs with the same key. */
  'same-key': { play: enqueues.sameKey },
  /** A job that waits for one with the same key that runs. */
  serial: { play: enqueues.serial, terms: { unique: { [QUEUE]: { serial: true } } } },
  /** A job with the key of one that is completed, within its period. */
  periodic: { play: enqueues.periodic, terms: { unique: { [QUEUE]: { periodMs: 60_000 } } } },
  /** A schedule that ticks each second, and two workers that would run it, held up together at one tick. */
  ticking: { play: enqueues.ticking },
  /** The server crashes right after an enqueue was acknowledged. */
  'crash-after-enqueue': { play: enqueues.crashAfterEnqueue, alone: true },
  /** The server crashes right after a completion was told of. */
  'crash-after-settle': { play: transactions.crashAfterSettle, alone: true, leaseMs: 60_000 },
} as const satisfies Record<string, Scenario>

/** The name of a story. */
export type ScenarioName = keyof typeof SCENARIOS
