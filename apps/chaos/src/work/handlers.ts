import { setTimeout as sleep } from 'node:timers/promises'
import type { AnyQueue, ChunkContext, Handler, Job, JobContext, TransactionalJobContext } from '@pgq/core'
import type pg from 'pg'
import type { Core } from '../core.ts'
import type { ClientLog } from '../history/client-log.ts'
import type { HandlerEnd } from '../history/records.ts'
import { CHUNK, CONCURRENCY, type Work, type WorkKind } from './queues.ts'

/** What handlers need. */
export interface HandlerDeps {
  readonly core: Core
  readonly queues: Readonly<Record<WorkKind, AnyQueue>>
  readonly log: ClientLog
  /** For effects outside of any transaction: these may happen twice, and under chaos they do. */
  readonly pool: pg.Pool
}

/** Whose result it is. */
interface Result {
  readonly by: number
  readonly for: string
}

/** How long a group or a queue is held back, in ms. */
const HOLD_MS = 250

/** PostgreSQL stores no NUL, so this message has to be changed to be stored. */
const HOSTILE_MESSAGE = 'told to fail \u0000 here'

/** The handlers of all kinds of work. Each says in the log that it begins, and, before it returns or throws, how it ends. */
export function makeHandlers(deps: HandlerDeps): Handler[] {
  const { core, queues } = deps
  return (Object.keys(queues) as WorkKind[]).map((kind) => {
    const options = { concurrency: CONCURRENCY }
    if (kind === 'chunked')
      return core.handleChunk(
        queues[kind],
        (jobs: readonly Job<Work>[], ctx: ChunkContext) => runChunk(deps, kind, jobs, ctx),
        { size: CHUNK, wait: '20ms' },
      )
    return kind === 'transactional'
      ? core.handle(
          queues[kind],
          (job: Job<Work>, ctx: TransactionalJobContext) => run(deps, kind, job, ctx),
          {
            ...options,
            transactional: true,
          },
        )
      : core.handle(queues[kind], (job: Job<Work>, ctx: JobContext) => run(deps, kind, job, ctx), options)
  })
}

async function run(
  { core, log, pool }: HandlerDeps,
  kind: WorkKind,
  job: Job<Work>,
  ctx: JobContext | TransactionalJobContext,
): Promise<Result> {
  const { id, fence, attempt, payload } = job
  const end = await begin(log, kind, job)
  try {
    if (kind === 'transactional')
      await (ctx as TransactionalJobContext).tx.query('INSERT INTO chaos.effects VALUES ($1, $2)', [
        id,
        fence,
      ])
    else if (kind === 'plain')
      await pool.query('INSERT INTO chaos.loose_effects VALUES ($1, $2)', [id, fence])
    // Signals are ignored on purpose: a handler that outlives its claim is what the fence is for.
    await sleep(payload.ms)
    if (payload.reports === true) await ctx.progress({ fence })
  } catch (error) {
    await end('threw')
    throw error
  }
  if (attempt <= (payload.failures ?? 0)) {
    await end('threw', HOSTILE_MESSAGE)
    throw new Error(HOSTILE_MESSAGE)
  }
  // Snoozes cost no attempt, so the fence counts them.
  if (fence <= 2 * (payload.snoozes ?? 0)) {
    await end('snoozed')
    throw new core.SnoozeJob('120ms')
  }
  if (fence === 1 && payload.holdsBack !== undefined) {
    await end('held-back')
    throw new core.RateLimitJob({ retryAfter: HOLD_MS, scope: payload.holdsBack })
  }
  if (kind === 'cancelling') {
    await end('cancelled', 'cancelled by its handler')
    throw new core.CancelJob()
  }
  await end('returned')
  return resultOf(job)
}

/** Runs several jobs at once: some fail and some are marked while it runs, the others end with it. */
async function runChunk(
  { log }: HandlerDeps,
  kind: WorkKind,
  jobs: readonly Job<Work>[],
  ctx: ChunkContext,
): Promise<(Result | ReturnType<ChunkContext['complete']>)[]> {
  const ends = await Promise.all(jobs.map((job) => begin(log, kind, job)))
  await sleep(Math.max(...jobs.map(({ payload }) => payload.ms)))
  return Promise.all(
    jobs.map(async (job, i) => {
      const fails = job.attempt <= (job.payload.failures ?? 0)
      await (fails ? ends[i]?.('threw', HOSTILE_MESSAGE) : ends[i]?.('returned'))
      if (fails) return ctx.fail(job, new Error(HOSTILE_MESSAGE))
      return job.payload.early === true ? ctx.complete(job, resultOf(job)) : resultOf(job)
    }),
  )
}

/** Says that an attempt begins. What it returns says how that ends. */
async function begin(
  log: ClientLog,
  kind: WorkKind,
  { id, fence, attempt, payload }: Job<Work>,
): Promise<(how: HandlerEnd, message?: string) => Promise<void>> {
  await log.record({ op: 'start', job: id, fence, attempt, queue: kind, ticket: payload.ticket })
  return (how, message) =>
    log.record({ op: 'end', job: id, fence, how, ...(message !== undefined && { message }) })
}

const resultOf = ({ fence, payload }: Job<Work>): Result => ({ by: fence, for: payload.ticket })
