import { Injectable, Scope } from '@nestjs/common'
import type {
  AnyQueue,
  HandlerOptions,
  JobContext,
  JobOf,
  ResultOf,
  TransactionalJobContext,
} from '@pgq/core'
import { knownOptions } from '@pgq/core/options'
import { checkHandler, declare } from './declarations.ts'
import { DEFAULT_CONNECTION } from './tokens.ts'

/** How a processor handles its jobs. */
export interface ProcessorOptions extends HandlerOptions {
  /** `Scope.REQUEST` or `Scope.TRANSIENT` make a new instance for each job. @default Scope.DEFAULT: one for all */
  readonly scope?: Scope
  /** The `name` of the connection in `forRoot`. @default 'default' */
  readonly connection?: string
}

/** What the class of a processor has to look like. */
export interface QueueProcessor<Q extends AnyQueue, Context> {
  readonly process: (job: JobOf<Q>, ctx: Context) => ResultOf<Q> | Promise<ResultOf<Q>>
}

/** A decorator for classes that process the jobs of a queue; others don't compile. */
export type ProcessorDecorator<Q extends AnyQueue, Context> = <
  // oxlint-disable-next-line typescript/no-explicit-any -- what a class injects is its own affair
  Class extends abstract new (...args: any[]) => QueueProcessor<Q, Context>,
>(
  target: Class,
) => void

const OPTIONS = ['concurrency', 'transactional', 'scope', 'connection']

/**
 * Makes a class the handler of a queue: its `process(job, ctx)` is called for each job. List the class in the providers of a module.
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 * @example
 * \@Processor(receipts, { concurrency: 20 })
 * export class ReceiptProcessor {
 *   constructor(private readonly mailer: Mailer) {}
 *   async process(job: JobOf<typeof receipts>, ctx: JobContext) { … }
 * }
 */
export function Processor<Q extends AnyQueue>(
  queue: Q,
  options: ProcessorOptions & { readonly transactional: true },
): ProcessorDecorator<Q, TransactionalJobContext>
export function Processor<Q extends AnyQueue>(
  queue: Q,
  options?: ProcessorOptions & { readonly transactional?: false },
): ProcessorDecorator<Q, JobContext>
export function Processor<Q extends AnyQueue>(
  queue: Q,
  options: ProcessorOptions = {},
): ProcessorDecorator<Q, TransactionalJobContext> {
  knownOptions('@Processor', options, OPTIONS)
  const { scope, connection = DEFAULT_CONNECTION, ...handler } = options
  checkHandler('@Processor', queue, handler)
  return (target) => {
    declare('handler', target, { queue, connection, options: handler })
    if (scope !== undefined) Injectable({ scope })(target)
  }
}
