import type { ArgumentsHost } from '@nestjs/common'
import type { AnyQueue, Job, JobContext, JobOf } from '@pgq/core'

/** What `context.getType()` says in guards, interceptors and filters of a processor: `getType<PgqContextType>() === 'pgq'`. */
export type PgqContextType = 'pgq'

/** The job in an `ExecutionContext` or `ArgumentsHost` whose type is `'pgq'`. */
export class PgqExecutionContext {
  readonly #host: ArgumentsHost

  private constructor(host: ArgumentsHost) {
    this.#host = host
  }

  /**
   * Wraps what a guard, an interceptor or a filter was given.
   * @throws TypeError when it is of another type, such as an HTTP request
   */
  static create(host: ArgumentsHost): PgqExecutionContext {
    const type = host.getType<string>()
    if (type === 'pgq') return new PgqExecutionContext(host)
    throw new TypeError(`this is no job: the type of the context is ${JSON.stringify(type)}, not "pgq"`)
  }

  /** The job that is handled. Name its queue for its type: `getJob<typeof receipts>()`. */
  getJob<Q extends AnyQueue = never>(): [Q] extends [never] ? Job : JobOf<Q> {
    return this.#host.getArgByIndex(0)
  }

  /** The context that the handler gets. Name its type for a transactional one: `getContext<TransactionalJobContext>()`. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows which handler it is for
  getContext<Context extends JobContext = JobContext>(): Context {
    return this.#host.getArgByIndex(1)
  }
}
