import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  UseGuards,
} from '@nestjs/common'
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, ExternalContextCreator } from '@nestjs/core'
import { defineQueue, type Job, type JobOf, type } from '@pgq/core'
import { map, type Observable } from 'rxjs'
import { expect, onTestFinished, test } from 'vitest'
import { InjectJob, PgqModule, Process, Processor } from '../src/index.ts'
import { freshSchema } from './support/fresh-schema.ts'
import { settled } from './support/settled.ts'
import { startApp, startError } from './support/start-app.ts'

const letters = defineQueue('letter', { payload: type<{ to: string }>(), maxAttempts: 1 })

/** Starts an application with all enhancers, gives it some jobs at once, and returns what has become of them. */
async function runAll(providers: object[], recipients: readonly string[]) {
  const { options, pgq } = await freshSchema()
  await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true, enhancers: 'all' })],
    providers: providers as [],
  })
  const jobs = await pgq.enqueueMany(
    letters,
    recipients.map((to) => ({ to })),
  )
  return Promise.all(jobs.map(({ id }) => settled(pgq, id)))
}

@Processor(letters)
class Postman {
  process(job: JobOf<typeof letters>): string {
    if (job.payload.to === 'nobody') throw new Error('no such address')
    return job.payload.to
  }
}

const scopes = [
  ['request-scoped', Scope.REQUEST],
  ['transient', Scope.TRANSIENT],
] as const

for (const [what, scope] of scopes) {
  test(`a global guard that is ${what} refuses jobs, and is made for each`, async () => {
    const made: object[] = []
    @Injectable({ scope })
    class AdaOnly {
      private readonly allowed = 'Ada' // which only a constructor sets
      constructor() {
        made.push(this)
      }
      canActivate(context: ExecutionContext): boolean {
        return context.getArgByIndex<JobOf<typeof letters>>(0).payload.to === this.allowed
      }
    }
    const jobs = await runAll(
      [Postman, { provide: APP_GUARD, useClass: AdaOnly, scope }],
      ['Ada', 'Mallory', 'Ada'],
    )
    expect(jobs.map(({ status }) => status)).toEqual(['completed', 'dead', 'completed'])
    expect(jobs[1]?.error).toContain('a guard refused the job')
    expect(made.length).toBeGreaterThanOrEqual(3)
  })
}

test('global interceptors, pipes and filters that are request-scoped have the job that they were made for', async () => {
  @Injectable()
  class Stamp implements NestInterceptor {
    constructor(@InjectJob() private readonly job: Job) {}
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(map((result) => `${String(result)} ${this.job.id}`))
    }
  }
  @Injectable()
  class Title implements PipeTransform {
    constructor(@InjectJob() private readonly job: Job) {}
    transform(payload: { to: string }): { to: string } {
      return payload.to === 'nobody' ? payload : { to: `${payload.to} (${this.job.queue})` }
    }
  }
  @Catch()
  class Forgive {
    constructor(@InjectJob() private readonly job: Job) {}
    catch(_error: unknown, _host: ArgumentsHost): string {
      return `forgiven ${this.job.id}`
    }
  }
  const scope = Scope.REQUEST
  const jobs = await runAll(
    [
      Postman,
      { provide: APP_INTERCEPTOR, useClass: Stamp, scope },
      { provide: APP_PIPE, useClass: Title, scope },
      { provide: APP_FILTER, useClass: Forgive, scope },
    ],
    ['Ada', 'Bob', 'nobody'],
  )
  expect(jobs.map(({ result }) => result)).toEqual([
    `Ada (letter) ${jobs[0]?.id}`,
    `Bob (letter) ${jobs[1]?.id}`,
    `forgiven ${jobs[2]?.id}`,
  ])
})

test('a request-scoped processor meets request-scoped global guards too', async () => {
  @Processor(letters, { scope: Scope.REQUEST })
  class Scoped {
    constructor(@InjectJob() private readonly job: Job) {}
    process(): string {
      return this.job.id
    }
  }
  @Injectable()
  class AdaOnly {
    constructor(@InjectJob() private readonly job: Job<{ to: string }>) {}
    canActivate(): boolean {
      return this.job.payload.to === 'Ada'
    }
  }
  const guard = { provide: APP_GUARD, useClass: AdaOnly, scope: Scope.REQUEST }
  const jobs = await runAll([Scoped, guard], ['Ada', 'Mallory'])
  expect(jobs.map(({ status }) => status)).toEqual(['completed', 'dead'])
})

@Injectable()
class Nobody {
  canActivate(): boolean {
    return false
  }
}

class Base {
  @UseGuards(Nobody)
  async process(): Promise<void> {}
}

test('a guard on a method that a processor inherits, when Nest would leave it out', async () => {
  const { options } = await freshSchema()
  @Processor(letters)
  class Derived extends Base {}
  for (const how of [{ useFactory: () => new Derived() }, { useValue: new Derived() }]) {
    const error = await startError({
      imports: [PgqModule.forRoot(options)],
      providers: [{ provide: Derived, ...how }],
    })
    expect(error.message).toContain('so Nest does not make its Nobody')
  }
})

@UseGuards(Nobody)
@Processor(letters)
class Guarded {
  process(): void {}
}

/** The guard is known to the module, by another provider. */
@UseGuards(Nobody)
@Injectable()
class Other {}

const underAnotherToken = [Other, { provide: 'GUARDED', useClass: Guarded }]
const creator = ExternalContextCreator.prototype as unknown as { getHostModuleKey?: unknown }

test.runIf('getHostModuleKey' in creator)('a processor under another token has its guards', async () => {
  const { options, pgq } = await freshSchema()
  await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true })],
    providers: underAnotherToken,
  })
  const { id } = await pgq.enqueue(letters, { to: 'Ada' })
  expect(await settled(pgq, id)).toMatchObject({ status: 'dead' })
})

test('a processor under another token, on a Nest that does not find its guards', async () => {
  const { options } = await freshSchema()
  const newer = Object.getOwnPropertyDescriptor(creator, 'getHostModuleKey')
  onTestFinished(() => {
    if (newer) Object.defineProperty(creator, 'getHostModuleKey', newer)
  })
  delete creator.getHostModuleKey // as in the versions before
  const error = await startError({ imports: [PgqModule.forRoot(options)], providers: underAnotherToken })
  expect(error.message).toContain('Guarded is provided under another token')
})

test('a service with a method that enhancers have is no enhancer', async () => {
  const { options, pgq } = await freshSchema()
  @Injectable()
  class Images {
    transform(text: string): string {
      return text.toUpperCase()
    }
  }
  @Injectable()
  class Printer {
    constructor(private readonly images: Images) {}
    @Process(letters)
    print(job: JobOf<typeof letters>): string {
      return this.images.transform(job.payload.to)
    }
  }
  await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true })],
    providers: [
      Images,
      { provide: Printer, inject: [Images], useFactory: (images: Images) => new Printer(images) },
    ],
  })
  const { id } = await pgq.enqueue(letters, { to: 'Ada' })
  expect((await settled(pgq, id)).result).toBe('ADA')
})
