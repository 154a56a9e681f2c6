import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type TracerProvider,
} from '@opentelemetry/api'
import type { AttemptEnd, EventJob, Hooks, Metadata } from '@pgq/core'
import { ATTRIBUTES, errorType, queueAttributes } from './names.ts'

/** How attempts are traced. */
export interface TracingOptions {
  readonly tracerProvider: TracerProvider | undefined
  readonly parent: 'link' | 'child'
}

const FAILED: ReadonlySet<AttemptEnd['ending']> = new Set(['failed', 'dead', 'lost'])

/** A span `send` for each enqueue, whose context goes into the metadata, and one `process` for each attempt, linked to it. */
export function tracingHooks({ tracerProvider, parent }: TracingOptions): Required<Hooks> {
  // Looked up for each span: the application may register its provider after this.
  const tracer = (): ReturnType<TracerProvider['getTracer']> =>
    (tracerProvider ?? trace.getTracerProvider()).getTracer('@pgq/otel')
  return {
    enqueue: async (call, next) => {
      const own = creationContext(call.metadata)
      const attributes = queueAttributes(call.queue, 'send')
      const options = { kind: SpanKind.PRODUCER, attributes, ...(own && { links: [{ context: own }] }) }
      const span = tracer().startSpan(`send ${call.queue}`, options)
      const active = trace.setSpan(context.active(), span)
      const carrier: Record<string, string> = {}
      // A context that the caller gave itself is the job's, and stays.
      if (!own) propagation.inject(active, carrier)
      await ended(span, async () => {
        const jobs = await context.with(active, () => next(carrier))
        if (call.many) span.setAttribute(ATTRIBUTES.batchCount, jobs)
      })
    },
    attempt: async (job, next) => {
      const sent = propagation.extract(ROOT_CONTEXT, job.metadata, getter)
      const creator = trace.getSpanContext(sent)
      const base = parent === 'child' ? sent : trace.deleteSpan(sent) // baggage stays in both
      const links = creator ? [{ context: creator }] : []
      const options = { kind: SpanKind.CONSUMER, links, attributes: attemptAttributes(job) }
      const span = tracer().startSpan(`process ${job.queue}`, options, base)
      await ended(span, async () => {
        const end = await context.with(trace.setSpan(base, span), next)
        span.setAttribute(ATTRIBUTES.ending, end.ending)
        if (FAILED.has(end.ending)) fail(span, end.error)
      })
    },
  }
}

const attemptAttributes = (job: EventJob): Record<string, string | number> => ({
  ...queueAttributes(job.queue, 'process'),
  [ATTRIBUTES.messageId]: job.id,
  [ATTRIBUTES.attempt]: job.attempt,
  [ATTRIBUTES.maxAttempts]: job.maxAttempts,
})

/** Metadata may hold anything; a propagator reads text. */
const getter = {
  keys: (metadata: Metadata): string[] => Object.keys(metadata),
  get: (metadata: Metadata, key: string): string | undefined => {
    const value = metadata[key]
    return typeof value === 'string' ? value : undefined
  },
}

const creationContext = (metadata: Metadata): ReturnType<typeof trace.getSpanContext> =>
  trace.getSpanContext(propagation.extract(ROOT_CONTEXT, metadata, getter))

async function ended(span: Span, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    fail(span, error)
    throw error
  } finally {
    span.end()
  }
}

function fail(span: Span, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  span.setAttribute(ATTRIBUTES.errorType, errorType(error))
  if (error instanceof Error) span.recordException(error)
  span.setStatus({ code: SpanStatusCode.ERROR, message })
}
