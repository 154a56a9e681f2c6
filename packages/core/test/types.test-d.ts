// oxlint-disable vitest/expect-expect -- the compiler expects
import type pg from 'pg'
import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  type AnyQueue,
  createPgq,
  defineQueue,
  type Duration,
  type EnqueueResult,
  exponential,
  handle,
  type InputOf,
  type JobContext,
  type JobRecord,
  type PayloadOf,
  type PgqEvents,
  type Queryable,
  type Queue,
  type ResultOf,
  schedule,
  SnoozeJob,
  type TransactionalJobContext,
  type,
} from '../src/index.ts'

const pgq = createPgq({ connectionString: 'postgres://localhost/none' })
const visits = defineQueue('visits', {
  payload: z.object({ at: z.string().transform((text) => new Date(text)), times: z.number().default(1) }),
  result: type<{ sent: boolean }>(),
})
const plain = defineQueue('plain', { payload: type<{ host: string }>() })
const untyped = defineQueue('untyped')

describe('a queue', () => {
  test('takes the input of its schema, and hands its output to the handler', () => {
    expectTypeOf<InputOf<typeof visits>>().toEqualTypeOf<{ at: string; times?: number | undefined }>()
    expectTypeOf<PayloadOf<typeof visits>>().toEqualTypeOf<{ at: Date; times: number }>()
    expectTypeOf<ResultOf<typeof visits>>().toEqualTypeOf<{ sent: boolean }>()
    expectTypeOf<PayloadOf<typeof plain>>().toEqualTypeOf<{ host: string }>()
    expectTypeOf<PayloadOf<typeof untyped>>().toEqualTypeOf<unknown>()
    expectTypeOf(visits).toExtend<AnyQueue>()
  })

  test('has options of known names and types', () => {
    defineQueue('q', { backoff: exponential(), timeout: '2m', priority: -1 })
    defineQueue('q', { backoff: (attempt, error) => (error instanceof Error ? attempt : '1h') })
    // @ts-expect-error -- misspelt
    defineQueue('q', { maxAttemps: 3 })
    // @ts-expect-error -- not a duration
    defineQueue('q', { timeout: '2 minutes' })
    // @ts-expect-error -- not a schema
    defineQueue('q', { payload: { host: 'string' } })
    // @ts-expect-error -- a queue needs a name
    defineQueue({ payload: type<string>() })
  })
})

describe('enqueue', () => {
  test('refuses a wrong payload', () => {
    expectTypeOf(pgq.enqueue(visits, { at: '2030-01-01' })).toEqualTypeOf<Promise<EnqueueResult>>()
    void pgq.enqueue(untyped, { anything: [1, null] })
    // @ts-expect-error -- the input is text, the Date comes out of the schema
    void pgq.enqueue(visits, { at: new Date() })
    // @ts-expect-error -- at is missing
    void pgq.enqueue(visits, {})
    // @ts-expect-error -- no such property
    void pgq.enqueue(plain, { host: 'a', port: 5 })
    // @ts-expect-error -- a payload is not optional
    void pgq.enqueue(plain)
    // @ts-expect-error -- a queue, not its name
    void pgq.enqueue('plain', { host: 'a' })
  })

  test('refuses one wrong payload among many', () => {
    expectTypeOf(pgq.enqueueMany(plain, new Set([{ host: 'a' }]))).toEqualTypeOf<Promise<EnqueueResult[]>>()
    // @ts-expect-error -- the second one
    void pgq.enqueueMany(plain, [{ host: 'a' }, { host: 5 }])
    // @ts-expect-error -- not a list
    void pgq.enqueueMany(plain, { host: 'a' })
  })

  test('refuses wrong options', () => {
    void pgq.enqueue(
      plain,
      { host: 'a' },
      { delay: '30s', priority: 3, uniqueKey: 'a', metadata: { tags: ['x'] } },
    )
    // @ts-expect-error -- misspelt
    void pgq.enqueue(plain, { host: 'a' }, { delays: '30s' })
    // @ts-expect-error -- no unit
    void pgq.enqueue(plain, { host: 'a' }, { delay: '30' })
    // @ts-expect-error -- a function cannot be stored with a job
    void pgq.enqueue(plain, { host: 'a' }, { backoff: () => 5 })
    // @ts-expect-error -- JSON only
    void pgq.enqueue(plain, { host: 'a' }, { metadata: { at: new Date() } })
    // @ts-expect-error -- not a transaction
    void pgq.enqueue(plain, { host: 'a' }, { tx: {} })
  })

  test('knows the fields that can make a key', () => {
    const unique = { fields: ['host'], onConflict: { debounce: '5s', maxWait: '1m' } } as const
    const queue = defineQueue('unique', { payload: type<{ host: string; at?: { port: number } }>(), unique })
    expectTypeOf(queue).toEqualTypeOf<Queue<{ host: string; at?: { port: number } }>>()
    void pgq.enqueue(queue, { host: 'a' }, { unique: { fields: ['at.port', 'host'], serial: true } })
    void pgq.enqueue(queue, { host: 'a' }, { unique: { key: ({ host }) => host, period: '1h' } })
    void pgq.enqueue(queue, { host: 'a' }, { unique: false })
    void pgq.enqueue(untyped, 1, { unique: { fields: '*' } })
    // @ts-expect-error -- no such field
    void pgq.enqueue(queue, { host: 'a' }, { unique: { fields: ['hosts'] } })
    // @ts-expect-error -- a number is no key
    void pgq.enqueue(queue, { host: 'a' }, { unique: { key: ({ at }) => at?.port ?? 0 } })
    // @ts-expect-error -- a debounce without an end
    void pgq.enqueue(queue, { host: 'a' }, { unique: { key: 'a', onConflict: { debounce: '5s' } } })
    // @ts-expect-error -- no such status
    void pgq.enqueue(queue, { host: 'a' }, { unique: { key: 'a', statuses: ['waiting'] } })
    // @ts-expect-error -- no such field
    defineQueue('unique', { payload: type<{ host: string }>(), unique: { fields: ['port'] } })
  })

  test('takes a client of pg as it is', () => {
    expectTypeOf<pg.PoolClient>().toExtend<Queryable>()
    expectTypeOf<pg.Client>().toExtend<Queryable>()
  })
})

describe('a handler', () => {
  test('gets the payload of its queue and must give its result', () => {
    handle(visits, (job, ctx) => {
      expectTypeOf(job.payload).toEqualTypeOf<{ at: Date; times: number }>()
      expectTypeOf(ctx).toEqualTypeOf<JobContext>()
      return { sent: true }
    })
    handle(visits, async () => ({ sent: false }))
    // @ts-expect-error -- a wrong result
    handle(visits, () => ({ sent: 'yes' }))
    // @ts-expect-error -- no result
    handle(visits, async () => {})
    // @ts-expect-error -- a payload of another type
    handle(plain, (job: { payload: { port: number } }) => job)
    handle(untyped, () => {})
    handle(untyped, () => 'whatever')
  })

  test('has a transaction exactly if it is transactional', () => {
    handle(
      plain,
      async (_job, ctx) => {
        expectTypeOf(ctx).toEqualTypeOf<TransactionalJobContext>()
        await ctx.tx.query('SELECT $1', [1])
      },
      { transactional: true },
    )
    handle(plain, async (_job, ctx) => {
      // @ts-expect-error -- not transactional
      await ctx.tx.query('SELECT 1')
    })
    handle(
      plain,
      async (_job, ctx) => {
        // @ts-expect-error -- not transactional either
        await ctx.tx.query('SELECT 1')
      },
      { transactional: false, concurrency: 5 },
    )
  })

  test('stores only JSON as progress', () => {
    handle(plain, async (_job, ctx) => {
      await ctx.progress({ done: 5, of: [10] })
      // @ts-expect-error -- JSON only
      await ctx.progress(new Map())
    })
  })
})

test('a duration is a number of ms, or a number with a unit', () => {
  expectTypeOf<'30s'>().toExtend<Duration>()
  expectTypeOf<'1.5h'>().toExtend<Duration>()
  expectTypeOf<'250ms'>().toExtend<Duration>()
  expectTypeOf<5>().toExtend<Duration>()
  expectTypeOf<'soon'>().not.toExtend<Duration>()
  expectTypeOf<'5w'>().not.toExtend<Duration>()
  // @ts-expect-error -- no such unit
  throw new SnoozeJob('5 minutes')
})

test('events are typed by their name', () => {
  pgq.events.on('job.dead', (event) => {
    expectTypeOf(event).toEqualTypeOf<PgqEvents['job.dead']>()
    expectTypeOf(event.error.message).toEqualTypeOf<string>()
  })
  pgq.events.on('*', (event) => {
    if (event.type === 'job.enqueued') expectTypeOf(event.ids).toEqualTypeOf<readonly string[]>()
    // @ts-expect-error -- not every event has a job
    return event.job
  })
  // @ts-expect-error -- no such event
  pgq.events.on('job.exploded', () => {})
  expectTypeOf(pgq.events.on('error', () => {})).toEqualTypeOf<() => void>()
})

test('looking and acting is typed', () => {
  expectTypeOf(pgq.get('id')).toEqualTypeOf<Promise<JobRecord | null>>()
  void pgq.list({ queue: plain, status: ['dead', 'failed'], payload: { host: 'a' } })
  void pgq.counts({ queue: plain, error: 'timeout', createdAfter: new Date() })
  void pgq.redrive({}, { onProgress: (changed) => changed.toFixed() })
  // @ts-expect-error -- a reason is for cancel
  void pgq.retry({ queue: plain }, { reason: 'no' })
  void pgq.cancel(['id'])
  // @ts-expect-error -- no such status
  void pgq.list({ status: 'done' })
  // @ts-expect-error -- misspelt
  void pgq.redrive({ stauts: 'dead' })
  expectTypeOf(pgq.transaction(async () => 5)).toEqualTypeOf<Promise<number>>()
})

describe('a schedule', () => {
  test('has the payload of its queue, and a rule of one kind', () => {
    schedule(
      visits,
      { cron: '0 6 * * *', timezone: 'Europe/Berlin' },
      { at: '2030-01-01' },
      { missed: { fill: 3 } },
    )
    void pgq.schedules.upsert(schedule(plain, { every: '15m', from: new Date() }, { host: 'a' }))
    pgq.createWorker([handle(plain, () => {})], {
      schedules: [schedule(plain, { at: new Date() }, { host: 'a' })],
    })
    // @ts-expect-error -- the input is text, the Date comes out of the schema
    schedule(visits, { every: '1h' }, { at: new Date() })
    // @ts-expect-error -- a payload is not optional
    schedule(plain, { every: '1h' })
    // @ts-expect-error -- no rule
    schedule(plain, {}, { host: 'a' })
    // @ts-expect-error -- the rule says when
    schedule(plain, { every: '1h' }, { host: 'a' }, { delay: '1s' })
    // @ts-expect-error -- no such policy
    schedule(plain, { every: '1h' }, { host: 'a' }, { missed: 'all' })
  })
})
