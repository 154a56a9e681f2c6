import type { MeterProvider, TracerProvider } from '@opentelemetry/api'
import { type Pgq, PgqError } from '@pgq/core'
import { flagOption, knownOptions, show } from '@pgq/core/options'
import { metricHooks, observeBacklog } from './metrics.ts'
import { tracingHooks } from './tracing.ts'

/** Options of `instrument`. */
export interface InstrumentOptions {
  /** @default true */
  readonly traces?: boolean
  /** @default true */
  readonly metrics?: boolean
  /** Whether to observe the age of the oldest due job, with a small query at each collection. @default as `metrics` */
  readonly backlog?: boolean
  /** `link`: an attempt begins a trace of its own, linked to the enqueue. `child`: it belongs to the trace of the enqueue, and is linked as well. @default link */
  readonly parent?: 'link' | 'child'
  /** @default the global one, also when it is registered later */
  readonly tracerProvider?: TracerProvider
  /** @default the global one: register it before this call */
  readonly meterProvider?: MeterProvider
}

/**
 * Traces and measures what a queue does in this process. The context of an enqueue goes into the job's metadata, and is active while its
 * handler runs. Returns the function that ends it.
 * @throws PgqError INVALID_OPTION
 * @example
 * instrument(pgq)
 */
export function instrument(pgq: Pgq, options: InstrumentOptions = {}): () => void {
  knownOptions('instrument', options, [
    'traces',
    'metrics',
    'backlog',
    'parent',
    'tracerProvider',
    'meterProvider',
  ])
  const { parent = 'link', tracerProvider, meterProvider } = options
  const measures = flagOption('metrics', options.metrics ?? true)
  const observes = flagOption('backlog', options.backlog ?? measures)
  if (parent !== 'link' && parent !== 'child')
    throw new PgqError('INVALID_OPTION', `parent is ${show(parent)}: it must be "link" or "child"`)
  const ends: (() => void)[] = []
  if (flagOption('traces', options.traces ?? true))
    ends.push(pgq.use(tracingHooks({ tracerProvider, parent })))
  if (measures) ends.push(pgq.use(metricHooks(meterProvider)))
  if (observes) ends.push(observeBacklog(pgq, meterProvider))
  return () => {
    for (const end of ends) end()
  }
}
