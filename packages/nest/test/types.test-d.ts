import {
  defineQueue,
  type JobContext,
  type JobOf,
  type JobRecord,
  type TransactionalJobContext,
  type,
} from '@pgq/core'
import { expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  type JobEvent,
  OnJobEvent,
  type PgqExecutionContext,
  Process,
  Processor,
  type QueueClient,
} from '../src/index.ts'
import type { PgqTester, RunOutcome } from '../src/testing.ts'

const receipts = defineQueue('receipt', {
  payload: z.object({ id: z.string(), at: z.coerce.date() }),
  result: type<{ sent: boolean }>(),
})
const untyped = defineQueue('untyped')

test('processors with the right payload, context and result compile', () => {
  @Processor(receipts)
  class Right {
    async process(job: JobOf<typeof receipts>, ctx: JobContext) {
      expectTypeOf(job.payload.at).toEqualTypeOf<Date>()
      return { sent: !ctx.signal.aborted }
    }
  }
  @Processor(receipts, { concurrency: 3 })
  class Shorter {
    process() {
      return { sent: true }
    }
  }
  @Processor(receipts, { transactional: true })
  class Transactional {
    async process(_job: JobOf<typeof receipts>, ctx: TransactionalJobContext) {
      await ctx.tx.query('SELECT 1')
      return { sent: true }
    }
  }
  @Processor(untyped)
  class Anything {
    constructor(readonly injected: string) {}
    async process() {}
  }
  expectTypeOf([Right, Shorter, Transactional, Anything]).toBeArray()
})

test('processors with a wrong payload, result or context, or without process, do not', () => {
  // @ts-expect-error -- the payload is another one
  @Processor(receipts)
  class WrongPayload {
    process(_job: { payload: { id: number } }) {
      return { sent: true }
    }
  }
  // @ts-expect-error -- the result is another one
  @Processor(receipts)
  class WrongResult {
    process(_job: JobOf<typeof receipts>) {
      return { sent: 'yes' }
    }
  }
  // @ts-expect-error -- nothing is returned
  @Processor(receipts)
  class NoResult {
    async process(_job: JobOf<typeof receipts>) {}
  }
  // @ts-expect-error -- there is no process
  @Processor(receipts)
  class NoProcess {
    handle() {}
  }
  // @ts-expect-error -- only a transactional handler has a transaction
  @Processor(receipts)
  class NoTransaction {
    process(_job: JobOf<typeof receipts>, _ctx: TransactionalJobContext) {
      return { sent: true }
    }
  }
  expectTypeOf([WrongPayload, WrongResult, NoResult, NoProcess, NoTransaction]).toBeArray()
})

test('methods are checked as classes are', () => {
  class Methods {
    @Process(receipts)
    right(job: JobOf<typeof receipts>) {
      return { sent: job.payload.id !== '' }
    }
    @Process(receipts, { transactional: true })
    async transactional(_job: JobOf<typeof receipts>, ctx: TransactionalJobContext) {
      await ctx.tx.query('SELECT 1')
      return { sent: true }
    }
    // @ts-expect-error -- the payload is another one
    @Process(receipts)
    wrongPayload(_job: { payload: { id: number } }) {
      return { sent: true }
    }
    // @ts-expect-error -- the result is another one
    @Process(receipts)
    wrongResult(_job: JobOf<typeof receipts>) {
      return 'sent'
    }
    // @ts-expect-error -- only a transactional handler has a transaction
    @Process(receipts)
    noTransaction(_job: JobOf<typeof receipts>, _ctx: TransactionalJobContext) {
      return { sent: true }
    }
    @OnJobEvent('job.dead', receipts)
    dead({ error }: JobEvent<'job.dead'>) {
      expectTypeOf(error.message).toBeString()
    }
    // @ts-expect-error -- there is no error in this event
    @OnJobEvent('job.completed')
    completed(_event: JobEvent<'job.dead'>) {}
    // @ts-expect-error -- there is no such event
    @OnJobEvent('job.done')
    done() {}
  }
  expectTypeOf<Methods>().toHaveProperty('right')
})

test('a client takes what its queue takes, and reads its results', () => {
  const client = {} as QueueClient<typeof receipts>
  void (() => client.enqueue({ id: 'a', at: '2026-11-20' }))
  // @ts-expect-error -- `at` is missing
  void (() => client.enqueue({ id: 'a' }))
  // @ts-expect-error -- an id is text
  void (() => client.enqueueMany([{ id: 1, at: new Date() }]))
  expectTypeOf(() => client.get('')).returns.resolves.toEqualTypeOf<JobRecord<
    unknown,
    { sent: boolean }
  > | null>()
})

test('contexts and outcomes have the types of the queue', () => {
  const context = {} as PgqExecutionContext
  expectTypeOf(() => context.getJob<typeof receipts>()).returns.toEqualTypeOf<JobOf<typeof receipts>>()
  expectTypeOf(context.getJob()['payload']).toBeUnknown()
  const tester = {} as PgqTester
  const run = () => tester.run(receipts, { id: 'a', at: new Date() })
  expectTypeOf(run).returns.resolves.toEqualTypeOf<RunOutcome<{ sent: boolean }>>()
  // @ts-expect-error -- the payload is another one
  void (() => tester.run(receipts, { id: 1 }))
})
