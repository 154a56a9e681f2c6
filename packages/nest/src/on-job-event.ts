import type { AnyQueue, PgqEventName, PgqEvents } from '@pgq/core'
import { knownOptions } from '@pgq/core/options'
import { checkQueue, declareMethod } from './declarations.ts'
import { oneOf } from './one-of.ts'
import { DEFAULT_CONNECTION } from './tokens.ts'

/** The names of the events that are about jobs. */
export type JobEventName = Extract<PgqEventName, `job.${string}`>

/** All of them. The compiler sees to it that none is missing. */
const JOB_EVENTS: { readonly [Name in JobEventName]: true } = {
  'job.enqueued': true,
  'job.started': true,
  'job.completed': true,
  'job.failed': true,
  'job.dead': true,
  'job.cancelled': true,
  'job.snoozed': true,
  'job.released': true,
  'job.lost': true,
  'job.stuck': true,
  'job.rescued': true,
}

/** What a listener gets for an event: `JobEvent<'job.dead'>`. */
export type JobEvent<Name extends JobEventName> = PgqEvents[Name]

/** Where to listen. */
export interface OnJobEventOptions {
  /** The `name` of the connection in `forRoot`. @default 'default' */
  readonly connection?: string
}

/** A decorator for methods that take the event; others don't compile. */
export type OnJobEventDecorator<Name extends JobEventName> = <
  Method extends (event: JobEvent<Name>) => unknown,
>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void

/**
 * Calls a method of a provider for each event of this process: of its own worker, and of its own calls. A method that throws harms nobody.
 * @param queue only for jobs of this queue; all queues without
 * @throws PgqError INVALID_QUEUE, INVALID_OPTION
 * @example
 * \@OnJobEvent('job.dead', receipts)
 * alert({ job, error }: JobEvent<'job.dead'>) { … }
 */
export function OnJobEvent<Name extends JobEventName>(
  event: Name,
  queue?: AnyQueue,
  options: OnJobEventOptions = {},
): OnJobEventDecorator<Name> {
  oneOf('the event of @OnJobEvent', event, Object.keys(JOB_EVENTS) as Name[])
  if (queue !== undefined) checkQueue('@OnJobEvent', queue)
  knownOptions('@OnJobEvent', options, ['connection'])
  const { connection = DEFAULT_CONNECTION } = options
  return (target, name, descriptor) =>
    declareMethod('listener', '@OnJobEvent', { target, name, descriptor }, { event, queue, connection })
}

/** Events are about one job, about jobs that were enqueued to one queue, or about jobs of several. */
export function isAbout(event: PgqEvents[keyof PgqEvents], { name }: AnyQueue): boolean {
  if ('job' in event) return event.job.queue === name
  if ('jobs' in event && Array.isArray(event.jobs)) return event.jobs.some((job) => job.queue === name)
  return 'queue' in event && event.queue === name
}
