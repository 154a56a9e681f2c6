import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { defineQueue, fixed, handle, type Pgq, type } from '@pgq/core'
import { until, work } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { instrument, type InstrumentOptions } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'

const mail = defineQueue('mail', { payload: type<{ n: number }>(), maxAttempts: 2, backoff: fixed(0) })

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
propagation.setGlobalPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
)

/** An instrumented queue, and the spans that have ended. */
async function traced(options: InstrumentOptions = {}): Promise<{
  pgq: Pgq
  provider: BasicTracerProvider
  spans: (name: string) => ReadableSpan[]
  sql: Awaited<ReturnType<typeof freshQueue>>['sql']
  schema: string
}> {
  const { pgq, sql, schema } = await freshQueue()
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  instrument(pgq, { tracerProvider: provider, metrics: false, ...options })
  const spans = (name: string): ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => span.name === name)
  return { pgq, provider, spans, sql, schema }
}

test('an enqueue is a producer, an attempt a consumer in a trace of its own, linked to it', async () => {
  const { pgq, provider, spans } = await traced()
  let inHandler: string | undefined
  let baggage: string | undefined
  await work(pgq, [
    handle(mail, async () => {
      await new Promise((resolve) => setImmediate(resolve))
      inHandler = trace.getActiveSpan()?.spanContext().spanId
      baggage = propagation.getActiveBaggage()?.getEntry('tenant')?.value
    }),
  ])
  const request = provider.getTracer('test').startSpan('request')
  const withTenant = propagation.setBaggage(
    trace.setSpan(context.active(), request),
    propagation.createBaggage({ tenant: { value: 'acme' } }),
  )
  const { id } = await context.with(withTenant, () => pgq.enqueue(mail, { n: 1 }))
  const [process] = await until(
    'it is processed',
    () => spans('process mail').length === 1 && spans('process mail'),
  )
  const [send] = spans('send mail')
  expect(send).toMatchObject({
    kind: SpanKind.PRODUCER,
    parentSpanContext: { spanId: request.spanContext().spanId },
    attributes: {
      'messaging.system.name': 'pgq',
      'messaging.destination.name': 'mail',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
    },
  })
  expect(process).toMatchObject({
    kind: SpanKind.CONSUMER,
    parentSpanContext: undefined,
    attributes: {
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.message.id': id,
      'pgq.job.attempt': 1,
      'pgq.job.max_attempts': 2,
      'pgq.job.ending': 'completed',
    },
    status: { code: SpanStatusCode.UNSET },
  })
  expect(process?.links.map((link) => link.context.spanId)).toEqual([send?.spanContext().spanId])
  expect(process?.spanContext().traceId).not.toBe(send?.spanContext().traceId)
  expect(inHandler).toBe(process?.spanContext().spanId)
  expect(baggage).toBe('acme')
  const { traceId, spanId } = send?.spanContext() ?? { traceId: '', spanId: '' }
  expect((await pgq.get(id))?.metadata['traceparent']).toBe(`00-${traceId}-${spanId}-01`)
})

test('as a child the attempt belongs to the trace of the enqueue, and is linked as well', async () => {
  const { pgq, spans } = await traced({ parent: 'child' })
  await work(pgq, [handle(mail, () => {})])
  await pgq.enqueue(mail, { n: 1 })
  const [process] = await until(
    'it is processed',
    () => spans('process mail').length === 1 && spans('process mail'),
  )
  const [send] = spans('send mail')
  expect(process?.parentSpanContext?.spanId).toBe(send?.spanContext().spanId)
  expect(process?.spanContext().traceId).toBe(send?.spanContext().traceId)
  expect(process?.links).toHaveLength(1)
})

test('each attempt is a span; failures say what went wrong', async () => {
  const { pgq, spans } = await traced()
  await work(pgq, [
    handle(mail, () => {
      throw new TypeError('boom')
    }),
  ])
  await pgq.enqueue(mail, { n: 1 })
  const attempts = await until(
    'it is dead',
    () => spans('process mail').length === 2 && spans('process mail'),
  )
  const told = attempts.map(({ attributes }) => [attributes['pgq.job.attempt'], attributes['pgq.job.ending']])
  expect(told).toEqual([
    [1, 'failed'],
    [2, 'dead'],
  ])
  for (const attempt of attempts) {
    expect(attempt.status).toEqual({ code: SpanStatusCode.ERROR, message: 'boom' })
    expect(attempt.attributes['error.type']).toBe('TypeError')
    expect(attempt.events[0]?.attributes).toMatchObject({ 'exception.type': 'TypeError' })
    expect(attempt.links).toHaveLength(1)
  }
})

test('many jobs are one span, whose context all of them carry', async () => {
  const { pgq, spans } = await traced()
  const results = await pgq.enqueueMany(mail, [{ n: 1 }, { n: 2 }, { n: 3 }])
  const [send] = spans('send mail')
  expect(send?.attributes['messaging.batch.message_count']).toBe(3)
  for (const { id } of results)
    expect((await pgq.get(id))?.metadata['traceparent']).toContain(send?.spanContext().spanId)
})

test('an enqueue that is refused is an error, and rejects as ever', async () => {
  const { pgq, spans } = await traced()
  const refused = pgq.enqueue(mail, { n: 1 }, { priority: 1e9 })
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  expect(spans('send mail')[0]).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'error.type': 'INVALID_OPTION' },
  })
})

test('a context that the caller gave is kept, and linked', async () => {
  const { pgq, spans } = await traced()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const { id } = await pgq.enqueue(mail, { n: 1 }, { metadata: { traceparent, order: 7 } })
  expect((await pgq.get(id))?.metadata).toEqual({ traceparent, order: 7 })
  expect(spans('send mail')[0]?.links[0]?.context.spanId).toBe('b7ad6b7169203331')
})

test('metadata that is no context harms nothing: the attempt has a span without a link', async () => {
  const { pgq, spans, sql, schema } = await traced()
  await work(pgq, [handle(mail, () => {})])
  await sql(
    `INSERT INTO ${schema}.jobs (queue_name, payload, metadata) VALUES ('mail', '{"n":1}', '{"traceparent": 7, "baggage": {"a": 1}}')`,
  )
  const [process] = await until(
    'it is processed',
    () => spans('process mail').length === 1 && spans('process mail'),
  )
  expect(process?.links).toEqual([])
})

test('after it is ended nothing is traced', async () => {
  const { pgq } = await freshQueue()
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  instrument(pgq, { tracerProvider: provider, metrics: false })()
  const { id } = await pgq.enqueue(mail, { n: 1 })
  expect((await pgq.get(id))?.metadata).toEqual({})
  expect(exporter.getFinishedSpans()).toEqual([])
})

test.for([
  [{ trace: true }, /no option "trace"/],
  [{ parent: 'both' }, /^parent is "both"/],
  [{ metrics: 'yes' }, /^metrics is "yes"/],
] as const)('options are checked: %j', async ([options, message]) => {
  const { pgq } = await freshQueue()
  expect(() => instrument(pgq, options as unknown as InstrumentOptions)).toThrow(message)
})
