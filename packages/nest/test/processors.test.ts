import { Injectable, Module } from '@nestjs/common'
import {
  defineQueue,
  type JobContext,
  type JobOf,
  type Pgq,
  type,
  type TransactionalJobContext,
} from '@pgq/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  getPgqToken,
  getQueueToken,
  InjectPgq,
  InjectQueue,
  type JobEvent,
  OnJobEvent,
  PgqModule,
  Process,
  Processor,
  QueueClient,
} from '../src/index.ts'
import { freshSchema, unmigratedSchema } from './support/fresh-schema.ts'
import { startApp } from './support/start-app.ts'
import { until } from '@pgq/test-support'
import { settled } from './support/settled.ts'

const receipts = defineQueue('receipt', {
  payload: z.object({ paymentId: z.string(), at: z.coerce.date() }),
  result: type<{ sent: string }>(),
})
const refunds = defineQueue('refund', { payload: type<{ amount: number }>(), maxAttempts: 1 })

@Injectable()
class Mailer {
  readonly sent: string[] = []
}

@Processor(receipts, { concurrency: 5 })
class ReceiptProcessor {
  constructor(
    private readonly mailer: Mailer,
    @InjectQueue(refunds) private readonly refundQueue: QueueClient<typeof refunds>,
  ) {}

  async process(job: JobOf<typeof receipts>, ctx: JobContext) {
    await ctx.progress({ step: 'send' })
    this.mailer.sent.push(job.payload.paymentId)
    await this.refundQueue.enqueue({ amount: job.payload.at.getUTCFullYear() })
    return { sent: job.payload.paymentId }
  }
}

@Injectable()
class RefundService {
  readonly refunded: number[] = []

  @Process(refunds)
  async refund(job: JobOf<typeof refunds>): Promise<void> {
    this.refunded.push(job.payload.amount)
  }
}

test('a class and a method process jobs, with what they inject', async () => {
  const { options, pgq } = await freshSchema()
  const app = await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true }), PgqModule.forFeature([receipts, refunds])],
    providers: [Mailer, ReceiptProcessor, RefundService],
  })
  const { id } = await pgq.enqueue(receipts, { paymentId: 'p_1', at: '2026-11-20T12:00:00Z' })
  const job = await settled(pgq, id)
  expect(job).toMatchObject({ status: 'completed', result: { sent: 'p_1' }, progress: { step: 'send' } })
  expect(app.get(Mailer).sent).toEqual(['p_1'])
  const service = app.get(RefundService)
  await until('the refund', () => service.refunded.length > 0)
  expect(service.refunded).toEqual([2026])
})

test('what a transactional processor writes and its completion commit together', async () => {
  const { options, pgq, pool, schema } = await freshSchema()
  await pool.query(`CREATE TABLE ${schema}.ledger (amount integer)`)
  @Processor(refunds, { transactional: true })
  class LedgerProcessor {
    async process(job: JobOf<typeof refunds>, ctx: TransactionalJobContext): Promise<void> {
      await ctx.tx.query(`INSERT INTO ${schema}.ledger VALUES ($1)`, [job.payload.amount])
      if (job.payload.amount < 0) throw new Error('negative')
    }
  }
  await startApp({ imports: [PgqModule.forRoot({ ...options, worker: true })], providers: [LedgerProcessor] })
  const [good, bad] = await pgq.enqueueMany(refunds, [{ amount: 7 }, { amount: -7 }])
  expect((await settled(pgq, good!.id)).status).toBe('completed')
  expect(await settled(pgq, bad!.id)).toMatchObject({ status: 'dead', error: 'negative' })
  expect((await pool.query(`SELECT amount FROM ${schema}.ledger`)).rows).toEqual([{ amount: 7 }])
})

test('handlers are found in providers of every kind, and an alias is not a second one', async () => {
  const { options, pgq } = await freshSchema()
  const queues = ['class', 'factory', 'async-factory', 'value', 'token'].map((name) => defineQueue(name))
  const handled: string[] = []
  const [a, b, c, d, e] = queues.map((queue) => {
    @Processor(queue)
    class AnyProcessor {
      process(): void {
        handled.push(queue.name)
      }
    }
    return AnyProcessor
  })
  await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true }), PgqModule.forFeature(queues)],
    providers: [
      a!,
      { provide: b!, useFactory: () => new b!() },
      { provide: 'c', useFactory: async () => new c!() },
      { provide: 'd', useValue: new d!() },
      { provide: 'e', useClass: e! },
      { provide: 'alias', useExisting: a! },
    ],
  })
  for (const queue of queues) await pgq.enqueue(queue, {})
  await until('all are handled', () => handled.length === queues.length)
  expect(handled.toSorted()).toEqual(queues.map(({ name }) => name).toSorted())
})

test('an object that stands for a processor in a test is called in its place', async () => {
  const { options, pgq } = await freshSchema()
  await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true })],
    providers: [{ provide: ReceiptProcessor, useValue: { process: () => ({ sent: 'by the fake' }) } }],
  })
  const { id } = await pgq.enqueue(receipts, { paymentId: 'p_2', at: new Date() })
  expect((await settled(pgq, id)).result).toEqual({ sent: 'by the fake' })
})

test('several connections have their own queues, handlers and workers', async () => {
  const [first, second] = [await freshSchema(), await freshSchema()]
  const handled: string[] = []
  @Injectable()
  class Handlers {
    @Process(refunds)
    main(): void {
      handled.push('default')
    }
    @Process(refunds, { connection: 'analytics' })
    analytics(): void {
      handled.push('analytics')
    }
  }
  @Injectable()
  class Producer {
    constructor(
      @InjectQueue(refunds, 'analytics') readonly queue: QueueClient<typeof refunds>,
      @InjectPgq('analytics') readonly analytics: Pgq,
      @InjectPgq() readonly main: Pgq,
    ) {}
  }
  const app = await startApp({
    imports: [
      PgqModule.forRoot({ ...first.options, worker: true }),
      PgqModule.forRootAsync({
        name: 'analytics',
        useFactory: async () => ({ ...second.options, worker: true }),
      }),
      PgqModule.forFeature([refunds]),
      PgqModule.forFeature([refunds], 'analytics'),
    ],
    providers: [Handlers, Producer],
  })
  const producer = app.get(Producer)
  const { id } = await producer.queue.enqueue({ amount: 1 })
  await settled(second.pgq, id)
  expect(handled).toEqual(['analytics'])
  expect(await producer.main.get(id)).toBeNull()
  expect(producer.analytics.schema).toBe(second.schema)
  expect(app.get(getPgqToken('analytics'))).toBe(producer.analytics)
})

test('options come from a factory, a class or an existing provider', async () => {
  const { options, schema } = await freshSchema()
  @Injectable()
  class Config {
    createPgqOptions() {
      return options
    }
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}
  for (const how of [
    { imports: [ConfigModule], inject: [Config], useFactory: (config: Config) => config.createPgqOptions() },
    { useClass: Config },
    { imports: [ConfigModule], useExisting: Config },
  ]) {
    const app = await startApp({ imports: [PgqModule.forRootAsync(how)] })
    expect(app.get<Pgq>(getPgqToken()).schema).toBe(schema)
  }
})

test('a client enqueues in a transaction, and reads and counts the jobs of its queue only', async () => {
  const { options, pgq, pool } = await freshSchema()
  const app = await startApp({
    imports: [PgqModule.forRoot(options), PgqModule.forFeature([receipts, refunds])],
  })
  const client = app.get<QueueClient<typeof refunds>>(getQueueToken(refunds))
  const tx = await pool.connect()
  await tx.query('BEGIN')
  const { id: lost } = await client.enqueue({ amount: 1 }, { tx })
  await tx.query('ROLLBACK')
  const [first] = await client.enqueueMany([{ amount: 2 }, { amount: 3 }])
  const { id: foreign } = await pgq.enqueue(receipts, { paymentId: 'p', at: new Date() })
  expect(await client.get(lost)).toBeNull()
  expect(await client.get(foreign)).toBeNull()
  expect((await client.get(first!.id))?.payload).toEqual({ amount: 2 })
  expect((await client.list({ status: 'pending' })).jobs.map((job) => job.payload)).toEqual([
    { amount: 3 },
    { amount: 2 },
  ])
  expect(await client.counts()).toEqual([{ queue: 'refund', status: 'pending', jobs: 2 }])
  await expect(client.enqueue({ amount: 4 }, { tx })).rejects.toMatchObject({ code: 'TRANSACTION_CLOSED' })
  tx.release()
  expect(await client.counts()).toEqual([{ queue: 'refund', status: 'pending', jobs: 2 }])
})

test('methods hear of the events of jobs, of all queues or of one', async () => {
  const { options, pgq } = await freshSchema()
  const heard: string[] = []
  @Injectable()
  class Alerts {
    private readonly name = 'alerts'

    @OnJobEvent('job.dead', refunds)
    dead({ job, error }: JobEvent<'job.dead'>): void {
      heard.push(`${this.name}: ${job.queue} is dead: ${error.message}`)
    }
    @OnJobEvent('job.dead', receipts)
    other(): void {
      heard.push('of the other queue')
    }
    @OnJobEvent('job.enqueued')
    enqueued({ queue }: JobEvent<'job.enqueued'>): void {
      heard.push(`${this.name}: ${queue} has a job`)
    }
    @Process(refunds)
    refund(): void {
      throw new Error('no money')
    }
  }
  const app = await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true }), PgqModule.forFeature([refunds])],
    providers: [Alerts],
  })
  const { id } = await app.get<QueueClient<typeof refunds>>(getQueueToken(refunds)).enqueue({ amount: 1 })
  expect((await settled(pgq, id)).status).toBe('dead')
  await until('both are heard', () => heard.length >= 2)
  expect(heard).toEqual(['alerts: refund has a job', 'alerts: refund is dead: no money'])
})

test('a pgq that was made elsewhere is used, and left open', async () => {
  const { pgq, schema } = await freshSchema()
  const app = await startApp({
    imports: [PgqModule.forRoot({ pgq, worker: true, logger: false })],
    providers: [RefundService],
  })
  const { id } = await pgq.enqueue(refunds, { amount: 5 })
  expect((await settled(pgq, id)).status).toBe('completed')
  await app.close()
  const after = await pgq.enqueue(refunds, { amount: 6 })
  expect((await pgq.get(after.id))?.status).toBe('pending')
  expect(pgq.schema).toBe(schema)
})

test('migrate auto makes the schema before anybody can use it', async () => {
  const { options, pgq } = unmigratedSchema()
  let id = ''
  @Injectable()
  class EarlyProducer {
    constructor(@InjectQueue(refunds) readonly queue: QueueClient<typeof refunds>) {}
    async onModuleInit(): Promise<void> {
      id = (await this.queue.enqueue({ amount: 1 })).id
    }
  }
  await startApp({
    imports: [PgqModule.forRoot({ ...options, migrate: 'auto' }), PgqModule.forFeature([refunds])],
    providers: [EarlyProducer],
  })
  expect((await pgq.get(id))?.status).toBe('pending')
})

test('a module whose connection is not global still gets its clients', async () => {
  const { options, pgq } = await freshSchema()
  const app = await startApp({
    imports: [PgqModule.forRoot({ ...options, isGlobal: false }), PgqModule.forFeature([refunds])],
  })
  const { id } = await app.get<QueueClient<typeof refunds>>(getQueueToken(refunds)).enqueue({ amount: 9 })
  expect((await pgq.get(id))?.payload).toEqual({ amount: 9 })
})
