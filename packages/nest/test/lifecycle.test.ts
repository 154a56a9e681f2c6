import {
  Controller,
  forwardRef,
  Global,
  Injectable,
  Logger,
  type MiddlewareConsumer,
  Module,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  Post,
  Scope,
  UseInterceptors,
} from '@nestjs/common'
import type { Observable } from 'rxjs'
import { defineQueue, type Pgq, type PgqOptions } from '@pgq/core'
import pg from 'pg'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import {
  getPgqToken,
  InjectJob,
  InjectQueue,
  PgqModule,
  type PgqModuleOptions,
  Process,
  Processor,
  QueueClient,
} from '../src/index.ts'
import { freshSchema, unmigratedSchema } from './support/fresh-schema.ts'
import { startApp, startError, startServer } from './support/start-app.ts'
import { latch, until } from '@pgq/test-support'
import { settled } from './support/settled.ts'

const letters = defineQueue('letter', { maxAttempts: 1 })

/** Options whose connections can be told from others: how many there are is how much was left open. */
function counted(options: PgqOptions): { options: PgqModuleOptions; open: () => Promise<number> } {
  const { schema } = options
  const connection = { connectionString: inject('databaseUrl'), application_name: schema as string }
  const pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 1, allowExitOnIdle: true })
  return {
    options: { connection, schema: schema as string, logger: false },
    open: async () => {
      const text = 'SELECT count(*)::int AS open FROM pg_stat_activity WHERE application_name = $1'
      return (await pool.query<{ open: number }>(text, [schema])).rows[0]?.open ?? -1
    },
  }
}

test('work begins when the last hook of the start is over', async () => {
  const { options, pgq } = await freshSchema()
  const { id } = await pgq.enqueue(letters, {})
  const order: string[] = []
  @Injectable()
  class Warm implements OnApplicationBootstrap {
    async onApplicationBootstrap(): Promise<void> {
      await pgq.counts() // as long as it takes
      order.push('provider')
    }
  }
  @Processor(letters)
  class LetterProcessor {
    process(): void {
      order.push('job')
    }
  }
  @Module({ providers: [Warm] })
  class RootModule implements OnApplicationBootstrap {
    onApplicationBootstrap(): void {
      order.push('root module')
    }
  }
  const app = await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true }), RootModule],
    providers: [LetterProcessor, Warm],
  })
  await settled(pgq, id)
  expect(order).toEqual(['provider', 'root module', 'provider', 'job'])
  expect(app.get<Pgq>(getPgqToken())).toBeDefined()
})

/** A database of the application's own, that closes itself in the hook that is given. */
function databaseClosing(hook: 'onModuleDestroy' | 'onApplicationShutdown') {
  @Injectable()
  class Database implements OnModuleDestroy, OnApplicationShutdown {
    closed = false
    write(): void {
      if (this.closed) throw new Error('the database is closed')
    }
    onModuleDestroy(): void {
      if (hook === 'onModuleDestroy') this.closed = true
    }
    onApplicationShutdown(): void {
      if (hook === 'onApplicationShutdown') this.closed = true
    }
  }
  return Database
}

const scopes: readonly (readonly [string, Scope])[] = [
  ['one', Scope.DEFAULT],
  ['a request-scoped', Scope.REQUEST],
]
const places: readonly (readonly [string, (database: new () => object) => ModuleMetadata])[] = [
  ['its own module', (database) => ({ providers: [database] })],
  ['a module that it imports', (database) => ({ imports: [moduleOf(database)] })],
  ['a global module', (database) => ({ imports: [globalModuleOf(database)] })],
]

function moduleOf(provider: new () => object): new () => object {
  @Module({ providers: [provider], exports: [provider] })
  class DatabaseModule {}
  return DatabaseModule
}

function globalModuleOf(provider: new () => object): new () => object {
  const module = moduleOf(provider)
  Global()(module)
  return module
}

for (const hook of ['onModuleDestroy', 'onApplicationShutdown'] as const) {
  for (const [where, metadataOf] of places) {
    for (const [what, scope] of scopes) {
      test(`a draining handler of ${what} processor can use a database of ${where} that closes in ${hook}`, async () => {
        const { options, pgq } = await freshSchema()
        const Database = databaseClosing(hook)
        const [begun, gate] = [latch(), latch()]
        @Processor(letters, { scope })
        class LetterProcessor {
          constructor(private readonly database: InstanceType<typeof Database>) {}
          async process(): Promise<string> {
            begun.open()
            await gate.opened
            this.database.write()
            return 'written'
          }
        }
        Reflect.defineMetadata('design:paramtypes', [Database], LetterProcessor)
        const { providers = [], ...rest } = metadataOf(Database)
        @Module({ ...rest, providers: [...providers, LetterProcessor] })
        class FeatureModule {}
        const app = await startApp({
          imports: [FeatureModule, PgqModule.forRoot({ ...options, worker: true })],
        })
        const { id } = await pgq.enqueue(letters, {})
        await begun.opened
        const database = app.get(Database)
        const { events } = app.get<Pgq>(getPgqToken())
        const stopping = new Promise((resolve) => events.on('worker.stopping', resolve))
        const closed = app.close()
        await stopping
        expect(database.closed).toBe(false)
        gate.open()
        await closed
        expect(await pgq.get(id)).toMatchObject({ status: 'completed', result: 'written' })
        expect(database.closed).toBe(true)
      })
    }
  }
}

/** What a handler uses, and what closes it: everything that has hooks can be that. */
class Resource {
  isOpen = true
  use(): void {
    if (!this.isOpen) throw new Error('the resource is closed')
  }
}

function closing(resource: Resource) {
  @Injectable()
  class Closing implements OnModuleDestroy {
    intercept(_context: unknown, next: { handle(): Observable<unknown> }): Observable<unknown> {
      return next.handle()
    }
    use(_request: unknown, _response: unknown, next: () => void): void {
      next()
    }
    onModuleDestroy(): void {
      resource.isOpen = false
    }
  }
  return Closing
}

type Closing = ReturnType<typeof closing>

/** Where the closing thing stands: around the processor, or in a module. */
const stands: readonly (readonly [
  string,
  (closing: Closing, processor: new () => object) => new () => object,
])[] = [
  [
    'an interceptor of the processor',
    (Closes, processor) => {
      UseInterceptors(Closes)(processor)
      return featureModule({ providers: [processor] })
    },
  ],
  [
    'a controller of its module',
    (Closes, processor) => {
      Controller()(Closes)
      return featureModule({ providers: [processor], controllers: [Closes] })
    },
  ],
  [
    'a middleware of its module',
    (Closes, processor) => {
      const module = featureModule({ providers: [processor] })
      Object.assign(module.prototype as object, {
        configure: (consumer: MiddlewareConsumer) => consumer.apply(Closes).forRoutes('*path'),
      })
      return module
    },
  ],
  [
    'something transient',
    (Closes, processor) => {
      Injectable({ scope: Scope.TRANSIENT })(Closes)
      Reflect.defineMetadata('design:paramtypes', [Closes], processor)
      return featureModule({ providers: [processor, Closes] })
    },
  ],
  [
    'a module that imports it in turn',
    (Closes, processor) => {
      const feature = featureModule({ providers: [processor] })
      const database = featureModule({ providers: [Closes], imports: [forwardRef(() => feature)] })
      Module({ providers: [processor], imports: [forwardRef(() => database)] })(feature)
      return database
    },
  ],
  [
    'a module behind one that it imports',
    (Closes, processor) => {
      const feature = featureModule({ providers: [processor] })
      const database = featureModule({ providers: [Closes], imports: [forwardRef(() => feature)] })
      const between = featureModule({ imports: [database] })
      Module({ providers: [processor], imports: [between] })(feature)
      return database
    },
  ],
]

function featureModule(metadata: ModuleMetadata): new () => object {
  class FeatureModule {}
  Module(metadata)(FeatureModule)
  return FeatureModule
}

for (const [where, build] of stands) {
  test(`a draining handler can use what is closed by ${where}`, async () => {
    const { options, pgq } = await freshSchema()
    const resource = new Resource()
    const [begun, gate] = [latch(), latch()]
    @Processor(letters)
    class LetterProcessor {
      async process(): Promise<string> {
        begun.open()
        await gate.opened
        resource.use()
        return 'used'
      }
    }
    const module = build(closing(resource), LetterProcessor)
    const { app } = await startServer({ imports: [module, PgqModule.forRoot({ ...options, worker: true })] })
    const { id } = await pgq.enqueue(letters, {})
    await begun.opened
    const { events } = app.get<Pgq>(getPgqToken())
    const stopping = new Promise((resolve) => events.on('worker.stopping', resolve))
    const closed = app.close()
    await stopping
    await new Promise((resolve) => setImmediate(resolve)) // hooks that don't wait have been called by now
    expect(resource.isOpen).toBe(true)
    gate.open()
    await closed
    expect(await pgq.get(id)).toMatchObject({ status: 'completed', result: 'used' })
    expect(resource.isOpen).toBe(false)
  })
}

test('a frozen provider with a hook is named, and the application works', async () => {
  const { options, pgq } = await freshSchema()
  class Frozen {
    constructor() {
      Object.freeze(this)
    }
    onModuleDestroy(): void {}
  }
  @Processor(letters)
  class LetterProcessor {
    process(): void {}
  }
  const warnings: string[] = []
  const warn = vi
    .spyOn(Logger.prototype, 'warn')
    .mockImplementation((line: string) => void warnings.push(line))
  onTestFinished(() => warn.mockRestore())
  await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true })],
    providers: [LetterProcessor, { provide: Frozen, useValue: new Frozen() }],
  })
  expect(warnings).toEqual([expect.stringContaining('Frozen in AppModule is frozen')])
  const { id } = await pgq.enqueue(letters, {})
  expect((await settled(pgq, id)).status).toBe('completed')
})

test('a request that is under way may enqueue until the server has closed', async () => {
  const { options, pgq } = await freshSchema()
  const [arrived, gate] = [latch(), latch()]
  @Controller()
  class Letters {
    constructor(@InjectQueue(letters) private readonly queue: QueueClient<typeof letters>) {}
    @Post()
    async send() {
      arrived.open()
      await gate.opened
      return this.queue.enqueue({})
    }
  }
  const destroyed = latch()
  @Processor(letters)
  class LetterProcessor implements OnModuleDestroy {
    process(): void {}
    onModuleDestroy(): void {
      destroyed.open()
    }
  }
  const { app, url } = await startServer({
    imports: [PgqModule.forRoot({ ...options, worker: true }), PgqModule.forFeature([letters])],
    controllers: [Letters],
    providers: [LetterProcessor],
  })
  const answer = fetch(url, { method: 'POST' })
  await arrived.opened
  const closed = app.close()
  await destroyed.opened
  gate.open()
  const { id } = (await (await answer).json()) as { id: string }
  await closed
  expect((await pgq.get(id))?.status).toBe('pending')
  await expect(app.get<Pgq>(getPgqToken()).enqueue(letters, {})).rejects.toMatchObject({ code: 'CLOSED' })
})

test('a job that goes on for too long is given back when the application closes', async () => {
  const { options, pgq } = await freshSchema()
  const begun = latch()
  @Injectable()
  class Slow {
    @Process(letters)
    async deliver(_job: unknown, ctx: { signal: AbortSignal }): Promise<void> {
      begun.open()
      await new Promise((_resolve, reject) =>
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error)),
      )
    }
  }
  const worker = { shutdownTimeout: 50 }
  const app = await startApp({ imports: [PgqModule.forRoot({ ...options, worker })], providers: [Slow] })
  const { id } = await pgq.enqueue(letters, {})
  await begun.opened
  await app.close()
  expect(await pgq.get(id)).toMatchObject({ status: 'pending', attempts: 0 })
})

test('nothing stays open after close, which may be called twice', async () => {
  const fresh = await freshSchema()
  const { options, open } = counted(fresh.options)
  @Injectable({ scope: Scope.REQUEST })
  class Scoped {
    constructor(@InjectJob() readonly job: unknown) {}
    @Process(letters, { transactional: true })
    async deliver(_job: unknown, ctx: { tx: { query(text: string): Promise<unknown> } }): Promise<void> {
      await ctx.tx.query('SELECT 1')
    }
  }
  const app = await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true })],
    providers: [Scoped],
  })
  const { id } = await fresh.pgq.enqueue(letters, {})
  expect((await settled(fresh.pgq, id)).status).toBe('completed')
  expect(await open()).toBeGreaterThanOrEqual(4)
  await Promise.all([app.close(), app.close()])
  await until('all connections are gone', async () => (await open()) === 0)
})

test('a start that fails leaves nothing open and has begun no work', async () => {
  const fresh = await freshSchema()
  const { options, open } = counted(fresh.options)
  const { id } = await fresh.pgq.enqueue(letters, {})
  @Processor(letters)
  class LetterProcessor {
    process(): void {}
  }
  const missing = await startError({
    imports: [PgqModule.forRoot({ ...options, worker: true }), PgqModule.forFeature([defineQueue('other')])],
    providers: [LetterProcessor],
  })
  expect(missing.message).toContain('queue "other" has no handler')
  await until('all connections are gone', async () => (await open()) === 0)

  @Injectable()
  class Failing implements OnApplicationBootstrap {
    onApplicationBootstrap(): void {
      throw new Error('not today')
    }
  }
  const failing = await startError({
    imports: [PgqModule.forRoot({ ...options, worker: true })],
    providers: [LetterProcessor, Failing],
  })
  expect(failing.message).toBe('not today')
  expect((await fresh.pgq.get(id))?.attempts).toBe(0)
  const workers = await fresh.pool.query(`SELECT * FROM ${fresh.schema}.workers`)
  expect(workers.rows).toEqual([])
})

test('a worker that cannot start stops those of the other connections', async () => {
  const fresh = await freshSchema()
  const { options, open } = counted(fresh.options)
  const { options: empty } = unmigratedSchema()
  @Injectable()
  class Handlers {
    @Process(letters)
    one(): void {}
    @Process(letters, { connection: 'empty' })
    two(): void {}
  }
  const error = await startError({
    imports: [
      PgqModule.forRoot({ ...options, worker: true }),
      PgqModule.forRoot({ ...empty, name: 'empty', migrate: 'off', worker: true }),
    ],
    providers: [Handlers],
  })
  expect(error).toMatchObject({ code: 'SCHEMA_MISSING' })
  await until('all connections are gone', async () => (await open()) === 0)
})

test.each([
  [{ worker: false }, {}],
  [{ worker: true }, { PGQ_WORKER: '0' }],
  [{ worker: {} }, { PGQ_WORKER: 'false' }],
  [{}, { NODE_ENV: 'test' }],
] as const)('no worker with %o and %o', async (worker, env) => {
  const { options, pgq, pool, schema } = await freshSchema()
  const before = { ...process.env }
  Object.assign(process.env, env)
  try {
    @Processor(letters)
    class LetterProcessor {
      process(): void {}
    }
    const app = await startApp({
      imports: [PgqModule.forRoot({ ...options, ...worker }), PgqModule.forFeature([letters])],
      providers: [LetterProcessor],
    })
    const { id } = await app.get<Pgq>(getPgqToken()).enqueue(letters, {})
    expect((await pool.query(`SELECT * FROM ${schema}.workers`)).rows).toEqual([])
    expect((await pgq.get(id))?.status).toBe('pending')
  } finally {
    for (const name of Object.keys(env)) process.env[name] = before[name]
    if (before['PGQ_WORKER'] === undefined) delete process.env['PGQ_WORKER']
  }
})

test('a process works only on the queues that it is told, and with the concurrency that it is told', async () => {
  const { options, pgq } = await freshSchema()
  const parcels = defineQueue('parcel')
  const cards = defineQueue('card')
  let [running, most] = [0, 0]
  @Injectable()
  class PostOffice {
    @Process(letters)
    letter(): void {}
    @Process(parcels, { concurrency: 10 })
    async parcel(): Promise<void> {
      most = Math.max(most, ++running)
      await pgq.counts()
      running--
    }
    @Process(cards)
    card(): void {}
  }
  await startApp({
    imports: [
      PgqModule.forRoot({
        ...options,
        worker: { queues: [letters, { queue: 'parcel', concurrency: 2 }] },
      }),
      PgqModule.forFeature([letters, defineQueue('elsewhere')]), // not one of those
    ],
    providers: [PostOffice],
  })
  const card = await pgq.enqueue(cards, {})
  const jobs = [
    await pgq.enqueue(letters, {}),
    ...(await pgq.enqueueMany(
      parcels,
      Array.from({ length: 30 }, () => ({})),
    )),
  ]
  for (const { id } of jobs) expect((await settled(pgq, id)).status).toBe('completed')
  expect(most).toBe(2)
  expect(await pgq.get(card.id)).toMatchObject({ status: 'pending', attempts: 0 })
})
