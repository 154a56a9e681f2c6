import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ArgumentMetadata,
  type ArgumentsHost,
  type CallHandler,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Inject,
  Injectable,
  Logger,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common'
import * as common from '@nestjs/common'
import { APP_INTERCEPTOR, APP_PIPE, Reflector } from '@nestjs/core'
import {
  type AnyQueue,
  CancelJob,
  DeadJob,
  defineQueue,
  hasEnded,
  type Job,
  type JobContext,
  type JobOf,
  RetryJob,
  SnoozeJob,
  type,
} from '@pgq/core'
import { map, type Observable } from 'rxjs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  InjectJob,
  type PgqContextType,
  PgqExecutionContext,
  PgqModule,
  type PgqModuleOptions,
  Process,
  Processor,
} from '../src/index.ts'
import { freshSchema } from './support/fresh-schema.ts'
import { startApp } from './support/start-app.ts'
import { until } from '@pgq/test-support'
import { settled } from './support/settled.ts'

const letters = defineQueue('letter', { payload: type<{ to: string }>(), maxAttempts: 2 })
const seen: string[] = []

/** Notes what it sees, as a logging or tracing interceptor would. */
@Injectable()
class Notes implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType<PgqContextType>() !== 'pgq') return next.handle()
    const job = PgqExecutionContext.create(context).getJob<typeof letters>()
    seen.push(`${context.getClass().name}.${context.getHandler().name} ${job.queue} ${job.payload.to}`)
    return next.handle().pipe(map((result) => ({ result, noted: true })))
  }
}

const AllowedTo = (who: string) => SetMetadata('allowed', who)

/** Reads what a decorator says of the method, by the Reflector. */
@Injectable()
class AddresseeGuard {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const allowed = this.reflector.getAllAndOverride<string>('allowed', [
      context.getHandler(),
      context.getClass(),
    ])
    return PgqExecutionContext.create(context).getJob<typeof letters>().payload.to === allowed
  }
}

/** Starts an application with one provider, gives it one job, and returns the job after its first attempt. */
async function runIn(
  provider: new (...given: never[]) => object,
  payload: { to: string },
  options: PgqModuleOptions = {},
  providers: object[] = [],
) {
  const { options: own, pgq } = await freshSchema()
  await startApp({
    imports: [PgqModule.forRoot({ ...own, worker: true, ...options })],
    providers: [provider, ...(providers as [])],
  })
  const { id } = await pgq.enqueue(letters as AnyQueue, payload)
  return settled(pgq, id)
}

test('interceptors of the class and of the method are around the handler', async () => {
  @UseInterceptors(Notes)
  @Processor(letters)
  class Outer {
    @UseInterceptors(Notes)
    process(job: JobOf<typeof letters>): string {
      return job.payload.to
    }
  }
  seen.length = 0
  const job = await runIn(Outer, { to: 'Ada' })
  expect(job.result).toEqual({ result: { result: 'Ada', noted: true }, noted: true })
  expect(seen).toEqual(['Outer.process letter Ada', 'Outer.process letter Ada'])
})

test('a guard lets jobs through, and makes those dead that it refuses, with a clear error', async () => {
  @Injectable()
  class Postman {
    @UseGuards(AddresseeGuard)
    @AllowedTo('Ada')
    @Process(letters)
    deliver(): string {
      return 'delivered'
    }
  }
  expect(await runIn(Postman, { to: 'Ada' })).toMatchObject({ status: 'completed', result: 'delivered' })
  const refused = await runIn(Postman, { to: 'Mallory' })
  expect(refused).toMatchObject({ status: 'dead', attempts: 1 })
  expect(refused.error).toContain('a guard refused the job')
})

test('a guard may throw what it likes, and a handler may throw what a guard would', async () => {
  @UseGuards({
    canActivate() {
      throw new SnoozeJob('1h')
    },
  })
  @Processor(letters)
  class Snoozed {
    process(): void {}
  }
  const { options, pgq } = await freshSchema()
  await startApp({ imports: [PgqModule.forRoot({ ...options, worker: true })], providers: [Snoozed] })
  const { id } = await pgq.enqueue(letters, { to: 'Ada' })
  const snoozed = await until('it is snoozed', async () => {
    const job = await pgq.get(id)
    return job && job.scheduledFor.getTime() > job.createdAt.getTime() + 60_000 && job
  })
  expect(snoozed).toMatchObject({ status: 'pending', attempts: 0 })

  @Processor(letters)
  class Forbidden {
    process(): void {
      throw new ForbiddenException('by the other system')
    }
  }
  expect(await runIn(Forbidden, { to: 'Ada' })).toMatchObject({
    status: 'failed',
    error: 'by the other system',
  })
})

test('pipes get the payload, and the handler gets what they return', async () => {
  const metadata: ArgumentMetadata[] = []
  class Upper implements PipeTransform {
    transform(payload: { to: string }, about: ArgumentMetadata): { to: string } {
      metadata.push(about)
      return { to: payload.to.toUpperCase() }
    }
  }
  class Exclaim implements PipeTransform {
    transform = (payload: { to: string }): { to: string } => ({ to: `${payload.to}!` })
  }
  @UsePipes(Upper)
  @Processor(letters)
  class Piped {
    @UsePipes(new Exclaim())
    process(job: JobOf<typeof letters>, ctx: { signal: AbortSignal }): string {
      return `${job.payload.to} ${job.attempt} ${ctx.signal.aborted}`
    }
  }
  expect((await runIn(Piped, { to: 'Ada' })).result).toBe('ADA! 1 false')
  expect(metadata[0]).toMatchObject({ type: 'body' })
})

test('a pipe that throws fails the attempt', async () => {
  @UsePipes({
    transform() {
      throw new Error('no such address')
    },
  })
  @Processor(letters)
  class Piped {
    process(): void {}
  }
  expect(await runIn(Piped, { to: 'Ada' })).toMatchObject({ status: 'failed', error: 'no such address' })
})

class Expected extends Error {}

test('a filter completes the job with what it returns', async () => {
  @Catch(Expected)
  class Forgive implements ExceptionFilter {
    catch(error: Expected, host: ArgumentsHost): unknown {
      return {
        forgiven: error.message,
        to: PgqExecutionContext.create(host).getJob<typeof letters>().payload.to,
      }
    }
  }
  @UseFilters(Forgive)
  @Processor(letters)
  class Failing {
    process(job: JobOf<typeof letters>): void {
      throw job.payload.to === 'Ada' ? new Expected('moved') : new Error('lost')
    }
  }
  const forgiven = await runIn(Failing, { to: 'Ada' })
  expect(forgiven).toMatchObject({ status: 'completed', result: { forgiven: 'moved', to: 'Ada' } })
  expect(await runIn(Failing, { to: 'Bob' })).toMatchObject({ status: 'failed', error: 'lost' })
})

for (const [how, look] of [
  ['at once', () => undefined],
  ['later', async () => undefined],
] as const) {
  test(`a filter that returns nothing ${how} has only looked: the attempt fails as it would have`, async () => {
    const looked: unknown[] = []
    @UseFilters({
      catch(error: unknown) {
        looked.push(error)
        return look()
      },
    })
    @Processor(letters)
    class Failing {
      process(): void {
        throw new Error('lost')
      }
    }
    expect(await runIn(Failing, { to: 'Ada' })).toMatchObject({ status: 'failed', error: 'lost' })
    expect(looked).toEqual([new Error('lost')])
  })
}

test('a filter may end the attempt in another way, and sees refusals of guards', async () => {
  @Catch(ForbiddenException)
  class Later implements ExceptionFilter {
    catch(): never {
      throw new Expected('not now')
    }
  }
  @UseFilters(Later)
  @UseGuards({ canActivate: () => false })
  @Processor(letters)
  class Guarded {
    process(): void {}
  }
  expect(await runIn(Guarded, { to: 'Ada' })).toMatchObject({ status: 'failed', error: 'not now' })
})

test.each([
  [
    'a guard that throws one itself',
    UseGuards({
      canActivate() {
        throw new ForbiddenException('the api said 403')
      },
    }),
  ],
  [
    'an interceptor',
    UseInterceptors({
      intercept() {
        throw new ForbiddenException()
      },
    }),
  ],
  [
    'an interceptor in the words of Nest',
    UseInterceptors({
      intercept() {
        throw new ForbiddenException('Forbidden resource')
      },
    }),
  ],
  [
    'a pipe',
    UsePipes({
      transform() {
        throw new ForbiddenException('the api said 403')
      },
    }),
  ],
])(
  'a ForbiddenException of %s is an error like others: there will be another attempt',
  async (_who, decorate) => {
    class Refusing {
      process(): void {}
    }
    Processor(letters)(Refusing)
    decorate(Refusing)
    expect(await runIn(Refusing, { to: 'Ada' })).toMatchObject({ status: 'failed', attempts: 1 })
  },
)

@Catch()
class ForgiveAll implements ExceptionFilter {
  catch(): unknown {
    return 'forgiven'
  }
}

test.each([
  ['snoozed', () => new SnoozeJob('1h'), { status: 'pending', attempts: 0 }],
  ['retried', () => new RetryJob({ after: '1h' }), { status: 'failed', attempts: 1 }],
  ['cancelled', () => new CancelJob('gone'), { status: 'cancelled' }],
  ['dead', () => new DeadJob('not a letter'), { status: 'dead' }],
])('a job is %s although a filter catches everything', async (_what, ending, expected) => {
  @UseFilters(ForgiveAll)
  @Processor(letters)
  class Ending {
    process(): void {
      throw ending()
    }
  }
  const { options, pgq } = await freshSchema()
  await startApp({ imports: [PgqModule.forRoot({ ...options, worker: true })], providers: [Ending] })
  const { id } = await pgq.enqueue(letters, { to: 'Ada' })
  const job = await until('it is put off, or has ended', async () => {
    const now = await pgq.get(id)
    const isOff = now && now.scheduledFor.getTime() > now.createdAt.getTime() + 60_000
    return now && (isOff || hasEnded(now.status)) && now
  })
  expect(job).toMatchObject(expected)
})

test('an attempt that was aborted is not completed by a filter', async () => {
  const hurried = defineQueue('hurried', { timeout: '50ms', maxAttempts: 1 })
  @UseFilters(ForgiveAll)
  @Processor(hurried)
  class Slow {
    async process(_job: Job, { signal }: JobContext): Promise<void> {
      await sleep(60_000, undefined, { signal })
    }
  }
  const { options, pgq } = await freshSchema()
  await startApp({ imports: [PgqModule.forRoot({ ...options, worker: true })], providers: [Slow] })
  const { id } = await pgq.enqueue(hurried, {})
  expect(await settled(pgq, id)).toMatchObject({ status: 'dead' })
})

test('Nest logs no error of its own for one that filters have only looked at', async () => {
  const logged: unknown[] = []
  @UseFilters({ catch: () => undefined })
  @Processor(letters)
  class Failing {
    process(): void {
      throw new Error('lost')
    }
  }
  const { options, pgq } = await freshSchema()
  await startApp({ imports: [PgqModule.forRoot({ ...options, worker: true })], providers: [Failing] })
  Logger.overrideLogger({ log() {}, warn() {}, error: (...line: unknown[]) => logged.push(line) })
  try {
    const { id } = await pgq.enqueue(letters, { to: 'Ada' })
    expect(await settled(pgq, id)).toMatchObject({ status: 'failed', error: 'lost' })
  } finally {
    Logger.overrideLogger(false)
  }
  expect(logged).toEqual([])
})

test('global enhancers are left out unless they are asked for, and none at all are used with none', async () => {
  const global = { provide: APP_INTERCEPTOR, useClass: Notes }
  @UseInterceptors(Notes)
  @Processor(letters)
  class Plain {
    process(job: JobOf<typeof letters>): string {
      return job.payload.to
    }
  }
  const once = { result: 'Ada', noted: true }
  expect((await runIn(Plain, { to: 'Ada' }, {}, [global])).result).toEqual(once)
  const all = await runIn(Plain, { to: 'Ada' }, { enhancers: 'all' }, [global])
  expect(all.result).toEqual({ result: once, noted: true })
  expect((await runIn(Plain, { to: 'Ada' }, { enhancers: 'none' }, [global])).result).toBe('Ada')
})

test('a global pipe for bodies leaves payloads alone, which their schema has checked', async () => {
  const lengths = defineQueue('length', {
    payload: z.object({ text: z.string().transform((text) => text.length) }),
  })
  @Processor(lengths)
  class Lengths {
    process(job: JobOf<typeof lengths>): number {
      return job.payload.text
    }
  }
  // Nest 11 has none.
  const Pipe = (common as { StandardSchemaValidationPipe?: new () => PipeTransform })
    .StandardSchemaValidationPipe
  const { options, pgq } = await freshSchema()
  await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true, enhancers: 'all' })],
    providers: [Lengths, ...(Pipe ? [{ provide: APP_PIPE, useValue: new Pipe() }] : [])],
  })
  const { id } = await pgq.enqueue(lengths, { text: 'four' })
  expect(await settled(pgq, id)).toMatchObject({ status: 'completed', result: 4 })
})

test('an enhancer that is request-scoped is made for the job', async () => {
  @Injectable({ scope: Scope.REQUEST })
  class JobNotes implements NestInterceptor {
    constructor(@InjectJob() private readonly job: Job) {}
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(map(() => `noted ${this.job.id}`))
    }
  }
  @UseInterceptors(JobNotes)
  @Processor(letters)
  class Scoped {
    process(): void {}
  }
  const job = await runIn(Scoped, { to: 'Ada' })
  expect(job.result).toBe(`noted ${job.id}`)
})

test('enhancers have what their module has', async () => {
  @Injectable()
  class Prefix implements NestInterceptor {
    constructor(@Inject('PREFIX') private readonly prefix: string) {}
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(map((result) => `${this.prefix}${String(result)}`))
    }
  }
  @UseInterceptors(Prefix)
  @Processor(letters)
  class Prefixed {
    process(job: JobOf<typeof letters>): string {
      return job.payload.to
    }
  }
  const prefix = { provide: 'PREFIX', useValue: 'Dear ' }
  expect((await runIn(Prefixed, { to: 'Ada' }, {}, [prefix])).result).toBe('Dear Ada')
})

test('the context of something else than a job is refused', () => {
  const host = { getType: () => 'http' } as unknown as ArgumentsHost
  expect(() => PgqExecutionContext.create(host)).toThrow('this is no job: the type of the context is "http"')
})
