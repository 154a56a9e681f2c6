import { Inject, Injectable } from '@nestjs/common'
import { ModulesContainer } from '@nestjs/core'
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus'
import {
  type AnyQueue,
  type Backlog,
  type Duration,
  durationMs,
  ERROR_CODES,
  isPgqError,
  PgqError,
} from '@pgq/core'
import { assertQueue, knownOptions, show, textOption } from '@pgq/core/options'
import { connectionOf, type PgqConnection } from './connection.ts'
import { DEFAULT_CONNECTION } from './tokens.ts'

/** What counts as healthy. */
export interface PgqHealthOptions {
  /** How long the oldest due job of a queue may have waited; beyond it the queue is degraded. @default it is not looked at */
  readonly maxOldestDue?: Duration
  /** Of which queues. @default all */
  readonly queues?: readonly (AnyQueue | string)[]
  /** The `name` of the connection in `forRoot`. @default 'default' */
  readonly connection?: string
  /** How long the database has to answer, 1 ms to 10 m. @default '3s' */
  readonly timeout?: Duration
  /** For how long the claim loop of the worker may make no progress while the database answers, 1 s to 1 h. @default '1m' */
  readonly stalledAfter?: Duration
}

/** What there is to say beside the status. */
interface Details extends Record<string, unknown> {
  readonly worker: string
  /** The queues that are behind, and by how many ms. */
  readonly behind?: Readonly<Record<string, number>>
  readonly message?: string
}

/**
 * Says how a connection is: `down` when its database does not answer, its schema does not fit, or its worker (if this process has
 * one) does not run or its claim loop hangs; `degraded` when jobs wait for too long. Terminus 11 has no `degraded`: there it is `up`, with the same details.
 * @example
 * \@HealthCheck() \@Get('health')
 * check() { return this.health.check([() => this.pgq.check('jobs', { maxOldestDue: '5m' })]) }
 */
@Injectable()
export class PgqHealthIndicator {
  readonly #service: HealthIndicatorService
  readonly #modules: ModulesContainer

  constructor(
    @Inject(HealthIndicatorService) service: HealthIndicatorService,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    this.#service = service
    this.#modules = modules
  }

  /**
   * Looks at one connection. What is wrong with it is in the result, as a code: hosts and schemas are not told.
   * @throws PgqError INVALID_OPTION, INVALID_QUEUE
   */
  async check<const Key extends string>(
    key: Key,
    options: PgqHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    knownOptions('PgqHealthIndicator.check', options, [
      'maxOldestDue',
      'queues',
      'connection',
      'timeout',
      'stalledAfter',
    ])
    const { maxOldestDue, queues, connection: name = DEFAULT_CONNECTION, timeout = '3s' } = options
    const limitMs = maxOldestDue === undefined ? undefined : durationMs('maxOldestDue', maxOldestDue)
    if (queues !== undefined) checkQueues(queues)
    const timeoutMs = durationMs('timeout', timeout, { min: 1, max: 600_000 })
    const stalledMs = durationMs('stalledAfter', options.stalledAfter ?? '1m', { min: 1_000, max: 3_600_000 })
    const connection = connectionOf(this.#modules, name)
    const session = this.#service.check(key)
    const worker = connection.wantsWorker ? (connection.worker?.status ?? 'stopped') : 'none'
    try {
      await within(timeoutMs, connection.pgq.check())
      if (worker !== 'running' && worker !== 'none')
        return session.down<Details>({ worker, message: `the worker is ${worker}` })
      if ((connection.worker?.stalledMs ?? 0) > stalledMs)
        return session.down<Details>({
          worker,
          message: 'the worker is stalled: its claims make no progress',
        })
      if (limitMs === undefined) return session.up<Details>({ worker })
      const behind = await within(timeoutMs, waitingFor(connection, limitMs, queues))
      return behind.length === 0 ? session.up<Details>({ worker }) : degraded(session, worker, behind)
    } catch (error) {
      return session.down<Details>({ worker, message: publicMessage(error) })
    }
  }
}

/** Health routes are often open to all, and messages name hosts and schemas. The code and what it means is what may be told. */
function publicMessage(error: unknown): string {
  if (error instanceof TooLate) return error.message
  if (!isPgqError(error)) return 'the database cannot be asked'
  return Object.hasOwn(ERROR_CODES, error.code) ? `${error.code}: ${ERROR_CODES[error.code]}` : error.code
}

/** Tells a mistake in `queues` before anything is asked. */
function checkQueues(queues: unknown): void {
  if (!Array.isArray(queues))
    throw new PgqError(
      'INVALID_OPTION',
      `queues is ${show(queues)}: it must be a list of queues or their names`,
    )
  for (const queue of queues as unknown[]) {
    if (typeof queue === 'string') textOption('a queue of queues', queue, 200)
    else assertQueue(queue)
  }
}

class TooLate extends Error {}

type Session<Key extends string> = ReturnType<typeof HealthIndicatorService.prototype.check<Key>>

async function waitingFor(
  { pgq }: PgqConnection,
  limitMs: number,
  queues: PgqHealthOptions['queues'],
): Promise<Backlog[]> {
  const backlog = await pgq.backlog(queues === undefined ? {} : { queues })
  return backlog.filter(({ oldestDueMs }) => oldestDueMs > limitMs)
}

function degraded<Key extends string>(
  session: Session<Key>,
  worker: string,
  backlog: readonly Backlog[],
): HealthIndicatorResult<Key> {
  const behind = Object.fromEntries(backlog.map(({ queue, oldestDueMs }) => [queue, Math.round(oldestDueMs)]))
  const details: Details = {
    worker,
    behind,
    message: `jobs wait for too long in ${Object.keys(behind).join(', ')}`,
  }
  const hasDegraded = typeof (session as Partial<Session<Key>>).degraded === 'function'
  return hasDegraded ? session.degraded<Details>(details) : session.up<Details>(details)
}

/** A database that is gone may take minutes to say so. */
async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooLate(`the database did not answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
