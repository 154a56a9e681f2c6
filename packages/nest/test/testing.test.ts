import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common'
import { Test } from '@nestjs/testing'
import {
  defineQueue,
  fixed,
  type JobContext,
  type JobOf,
  SnoozeJob,
  type,
  type TransactionalJobContext,
} from '@pgq/core'
import { map } from 'rxjs'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { InjectQueue, PgqModule, Process, Processor, QueueClient } from '../src/index.ts'
import { PgqTester, PgqTestingModule } from '../src/testing.ts'
import { freshSchema } from './support/fresh-schema.ts'

const orders = defineQueue('order', {
  payload: z.object({ id: z.string(), at: z.coerce.date() }),
  result: type<{ order: string }>(),
})
const invoices = defineQueue('invoice', {
  payload: type<{ order: string }>(),
  backoff: fixed('1h'),
  maxAttempts: 2,
})
const bookings = defineQueue('booking', { payload: type<{ amount: number }>() })

@Injectable()
class Wrap {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((result: object) => ({ ...result, wrapped: true })))
  }
}

@UseInterceptors(Wrap)
@UseGuards({ canActivate: (context: ExecutionContext) => context.getArgByIndex(0).metadata.banned !== true })
@Processor(orders)
class OrderProcessor {
  constructor(@InjectQueue(invoices) private readonly queue: QueueClient<typeof invoices>) {}

  async process(job: JobOf<typeof orders>, ctx: JobContext) {
    await ctx.progress('begun')
    if (job.payload.id === 'late') throw new SnoozeJob('1h')
    await this.queue.enqueue({ order: job.payload.id })
    return { order: `${job.payload.id} ${job.payload.at.getUTCFullYear()} ${job.attempt}` }
  }
}

@Injectable()
class Invoices {
  @Process(invoices)
  make(job: JobOf<typeof invoices>): void {
    if (job.payload.order === 'bad') throw new Error('no paper')
  }
}

async function testApp(providers: object[] = []) {
  const { options, ...fresh } = await freshSchema()
  const module = await Test.createTestingModule({
    imports: [
      PgqModule.forRoot({ ...options, worker: { concurrency: 5 } }),
      PgqModule.forFeature([orders, invoices]),
      PgqTestingModule,
    ],
    providers: [OrderProcessor, Invoices, ...(providers as [])],
  }).compile()
  onTestFinished(() => module.close())
  await module.init()
  return { ...fresh, module, tester: module.get(PgqTester) }
}

test('no worker starts by itself, whatever the options say', async () => {
  const { pool, schema } = await testApp()
  expect((await pool.query(`SELECT * FROM ${schema}.workers`)).rows).toEqual([])
})

test('a run goes through everything around the handler, and leaves no job behind', async () => {
  const { tester } = await testApp()
  const outcome = await tester.run(orders, { id: 'o_1', at: new Date('2026-11-20') }, { attempt: 2 })
  expect(outcome).toEqual({ ok: true, result: { order: 'o_1 2026 2', wrapped: true }, progress: ['begun'] })
  expect(await tester.enqueued(orders)).toEqual([])
  expect((await tester.enqueued(invoices)).map((job) => job.payload)).toEqual([{ order: 'o_1' }])
})

test('a run that throws says what was thrown', async () => {
  const { tester } = await testApp()
  const late = await tester.run(orders, { id: 'late', at: '2026-11-20' })
  expect(late).toMatchObject({ ok: false, error: { name: 'SnoozeJob' }, progress: ['begun'] })
  const banned = await tester.run(orders, { id: 'o_1', at: new Date() }, { metadata: { banned: true } })
  expect(banned).toMatchObject({ ok: false, error: { name: 'DeadJob' }, progress: [] })
})

test('a run refuses what an enqueue would refuse, and a queue without a handler', async () => {
  const { tester } = await testApp()
  await expect(tester.run(orders, { id: 'o_1', at: 'never' })).rejects.toMatchObject({
    code: 'INVALID_PAYLOAD',
    issues: [{ path: '$.at' }],
  })
  await expect(tester.run(bookings, { amount: 1 })).rejects.toThrow('queue "booking" has no handler here')
  await expect(tester.enqueued(orders, { connection: 'other' })).rejects.toThrow(
    'there is no connection "other"',
  )
})

/** What became of a call: the code of its error, if it has one. */
function code(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'taken',
    (error: { code?: string }) => error.code,
  )
}

test('a run takes what an enqueue takes, and hands over what a worker would', async () => {
  const loose = defineQueue('loose')
  @Processor(loose)
  class Loose {
    process(job: JobOf<typeof loose>): string {
      return JSON.stringify(job.payload)
    }
  }
  const { tester, pgq } = await testApp([Loose])
  for (const payload of [{ text: 'a\0b' }, { n: Infinity }, 'x'.repeat(2_000_000), undefined]) {
    const taken = await code(pgq.enqueue(loose, payload))
    expect(await code(tester.run(loose, payload)), JSON.stringify(payload)?.slice(0, 40)).toBe(taken)
  }
})

test('options that a tester does not have', async () => {
  const { tester } = await testApp()
  const misspelt = { conection: 'default' } as object
  const no = 'has no option "conection"'
  await expect(tester.run(invoices, { order: 'o_1' }, misspelt)).rejects.toThrow(no)
  await expect(tester.drain(misspelt)).rejects.toThrow(no)
  await expect(tester.enqueued(invoices, misspelt)).rejects.toThrow(no)
})

test('a transactional run commits when it returns, and rolls back when it throws', async () => {
  let table = ''
  @Processor(bookings, { transactional: true })
  class Booking {
    async process(job: JobOf<typeof bookings>, ctx: TransactionalJobContext): Promise<void> {
      await ctx.tx.query(`INSERT INTO ${table} VALUES ($1)`, [job.payload.amount])
      if (job.payload.amount < 0) throw new Error('negative')
    }
  }
  const { tester, pool, schema } = await testApp([Booking])
  table = `${schema}.bookings`
  await pool.query(`CREATE TABLE ${table} (amount integer)`)
  expect((await tester.run(bookings, { amount: 5 })).ok).toBe(true)
  expect(await tester.run(bookings, { amount: -5 })).toMatchObject({
    ok: false,
    error: new Error('negative'),
  })
  expect((await pool.query(`SELECT * FROM ${table}`)).rows).toEqual([{ amount: 5 }])
})

test('a drain works what is due, and what that enqueues, and leaves the rest', async () => {
  const { tester, pgq, pool, schema } = await testApp()
  for (const id of ['o_1', 'bad', 'late']) await pgq.enqueue(orders, { id, at: new Date() })
  const delayed = await pgq.enqueue(invoices, { order: 'o_2' }, { delay: '1h' })
  expect(await tester.drain()).toEqual({ completed: 3, failed: 1, dead: 0, cancelled: 0, snoozed: 1 })
  expect((await tester.enqueued(orders)).map((job) => job.status)).toEqual([
    'completed',
    'completed',
    'pending',
  ])
  expect(
    (await tester.enqueued(invoices)).map((job) => [(job.payload as { order: string }).order, job.status]),
  ).toEqual(
    expect.arrayContaining([
      ['o_1', 'completed'],
      ['bad', 'failed'],
      ['o_2', 'pending'],
    ]),
  )
  expect((await pool.query(`SELECT * FROM ${schema}.workers`)).rows).toEqual([])
  await pgq.retry({ queue: invoices })
  expect(await tester.drain()).toMatchObject({ completed: 1, dead: 1 })
  expect((await pgq.get(delayed.id))?.status).toBe('completed')
  expect(await tester.drain()).toEqual({ completed: 0, failed: 0, dead: 0, cancelled: 0, snoozed: 0 })
})

test('a drain of many jobs ends when all are done', async () => {
  const { tester, pgq } = await testApp()
  await pgq.enqueueMany(
    invoices,
    Array.from({ length: 500 }, (_, n) => ({ order: `o_${n}` })),
  )
  expect((await tester.drain()).completed).toBe(500)
})

test('providers of the application can be replaced', async () => {
  const { options } = await freshSchema()
  const module = await Test.createTestingModule({
    imports: [PgqModule.forRoot(options), PgqModule.forFeature([orders, invoices]), PgqTestingModule],
    providers: [OrderProcessor, Invoices],
  })
    .overrideProvider(OrderProcessor)
    .useValue({ process: () => ({ order: 'from the fake' }) })
    .compile()
  onTestFinished(() => module.close())
  await module.init()
  const outcome = await module.get(PgqTester).run(orders, { id: 'o_1', at: new Date() })
  expect(outcome).toMatchObject({ ok: true, result: { order: 'from the fake' } })
})
