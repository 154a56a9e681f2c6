import { Controller, Get, Injectable, Module, Scope, UseGuards } from '@nestjs/common'
import { defineQueue } from '@pgq/core'
import { expect, test } from 'vitest'
import { InjectQueue, OnJobEvent, PgqModule, Process, Processor, QueueClient } from '../src/index.ts'
import { freshSchema, unmigratedSchema } from './support/fresh-schema.ts'
import { startApp, startError } from './support/start-app.ts'

const letters = defineQueue('letter')

@Processor(letters)
class LetterProcessor {
  process(): void {}
}

@Injectable()
class Postman {
  @Process(letters)
  deliver(): void {}
}

test('two handlers of a queue are named', async () => {
  const { options } = await freshSchema()
  @Module({ providers: [Postman] })
  class PostModule {}
  const error = await startError({
    imports: [PgqModule.forRoot(options), PostModule],
    providers: [LetterProcessor],
  })
  expect(error).toMatchObject({ code: 'DUPLICATE_HANDLER' })
  expect(error.message).toContain('queue "letter" has two handlers on the connection "default"')
  expect(error.message).toContain('LetterProcessor.process in AppModule')
  expect(error.message).toContain('Postman.deliver in PostModule')
})

test('a class that two modules provide is named with both', async () => {
  const { options } = await freshSchema()
  @Module({ providers: [LetterProcessor] })
  class PostModule {}
  const error = await startError({
    imports: [PgqModule.forRoot(options), PostModule],
    providers: [LetterProcessor],
  })
  expect(error.message).toMatch(
    /LetterProcessor\.process in (AppModule and .*PostModule|PostModule and .*AppModule)/,
  )
})

test('a queue without a handler is named when there is a worker, and fine when there is none', async () => {
  const { options } = await freshSchema()
  const imports = (worker: boolean) => [
    PgqModule.forRoot({ ...options, worker }),
    PgqModule.forFeature([letters]),
  ]
  const error = await startError({ imports: imports(true) })
  expect(error).toMatchObject({ code: 'INVALID_OPTION' })
  expect(error.message).toContain('queue "letter" has no handler')
  expect(error.message).toContain('in the providers of a module')
  await startApp({ imports: imports(false) })
  await startApp({
    imports: [
      PgqModule.forRoot({ ...options, worker: true }),
      PgqModule.forFeature([letters], { handledElsewhere: true }),
    ],
  })
})

test('forFeature without forRoot, and with a connection that there is not', async () => {
  const { options } = await freshSchema()
  const without = await startError({ imports: [PgqModule.forFeature([letters])] })
  expect(without).toMatchObject({ code: 'INVALID_OPTION' })
  expect(without.message).toContain('PgqModule.forFeature([letter]) needs the connection "default"')
  const unknown = await startError({
    imports: [PgqModule.forRoot(options), PgqModule.forFeature([letters], 'analytics')],
  })
  expect(unknown.message).toContain('needs the connection "analytics", and there is none')
})

test('a decorator that names a connection that there is not', async () => {
  const { options } = await freshSchema()
  @Processor(letters, { connection: 'analytics' })
  class Lost {
    process(): void {}
  }
  const error = await startError({ imports: [PgqModule.forRoot(options)], providers: [Lost] })
  expect(error.message).toContain('Lost.process names the connection "analytics"')
  expect(error.message).toContain('there is "default"')
})

test('a client of a queue that is in no forFeature', async () => {
  const { options } = await freshSchema()
  @Injectable()
  class Producer {
    constructor(@InjectQueue(letters) readonly queue: unknown) {}
  }
  const error = await startError({ imports: [PgqModule.forRoot(options)], providers: [Producer] })
  expect(error.message).toContain('PgqModule.forFeature([letter])')
})

test('two connections of one name', async () => {
  const { options } = await freshSchema()
  const error = await startError({ imports: [PgqModule.forRoot(options), PgqModule.forRoot(options)] })
  expect(error.message).toContain('2 PgqModule.forRoot for the connection "default"')
})

test('what is not a queue is refused where it is named', () => {
  const wrong = { name: 'letter' } as unknown as typeof letters
  const missing = undefined as unknown as typeof letters
  expect(() => Processor(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_QUEUE' }))
  expect(() => Process(missing)).toThrow('import each other in a circle')
  expect(() => InjectQueue(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_QUEUE' }))
  expect(() => OnJobEvent('job.dead', wrong)).toThrow(expect.objectContaining({ code: 'INVALID_QUEUE' }))
  expect(() => PgqModule.forFeature([letters, wrong])).toThrow(
    expect.objectContaining({ code: 'INVALID_QUEUE' }),
  )
  expect(() => PgqModule.forFeature(letters as never)).toThrow('takes a list of queues')
})

test('options that are misspelt or out of range are refused where they are given', () => {
  expect(() => Processor(letters, { concurrency: 0 })).toThrow('concurrency is 0')
  expect(() => Processor(letters, { concurency: 3 } as object)).toThrow(
    '@Processor has no option "concurency"',
  )
  expect(() => Process(letters, { scope: Scope.REQUEST } as object)).toThrow('@Process has no option "scope"')
  expect(() => PgqModule.forRootAsync({})).toThrow('needs one of useFactory, useClass and useExisting')
  expect(() => PgqModule.forRoot({ name: '' })).toThrow('the name of a connection')
  expect(() => PgqModule.forRoot({ migrate: 'yes' as 'auto' })).toThrow('migrate is "yes"')
  expect(() => PgqModule.forRoot({ enhancers: 'some' as 'all' })).toThrow('enhancers is "some"')
  expect(() => PgqModule.forRoot({ worker: { signals: true } as object })).toThrow(
    'app.enableShutdownHooks()',
  )
})

test('options of createPgq that are wrong keep the application from starting', async () => {
  const { options, pgq } = await freshSchema()
  expect((await startError({ imports: [PgqModule.forRoot({})] })).message).toContain('createPgq needs one of')
  const misspelt = { ...options, shema: 'x' } as typeof options
  expect(() => PgqModule.forRoot(misspelt)).toThrow(/PgqModule.forRoot has no option "shema".*worker.*schema/)
  expect(() => PgqModule.forRoot({ ...options, pgq })).toThrow('has no option "connectionString"')
})

test('a schema that is missing, and the way out', async () => {
  const { options } = unmigratedSchema()
  const error = await startError({ imports: [PgqModule.forRoot(options)] })
  expect(error).toMatchObject({ code: 'SCHEMA_MISSING' })
  expect(error.message).toContain(`migrate: 'auto'`)
})

test('a database that is not there', async () => {
  const connectionString = 'postgres://127.0.0.1:9/nothing'
  const error = await startError({ imports: [PgqModule.forRoot({ connectionString, logger: false })] })
  expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
})

test('a handler in a controller, and a listener in a class with an instance for each job', async () => {
  const { options } = await freshSchema()
  @Controller()
  class LetterController {
    @Get()
    @Process(letters)
    deliver(): void {}
  }
  const controller = await startError({
    imports: [PgqModule.forRoot(options)],
    controllers: [LetterController],
  })
  expect(controller.message).toContain('LetterController.deliver has a decorator of pgq, but')
  @Injectable({ scope: Scope.REQUEST })
  class Listener {
    @OnJobEvent('job.dead')
    dead(): void {}
  }
  const listener = await startError({ imports: [PgqModule.forRoot(options)], providers: [Listener] })
  expect(listener.message).toContain('Listener.dead listens to job.dead, but its class has a new instance')
})

test('a guard that Nest would leave out', async () => {
  const { options } = await freshSchema()
  class Guard {
    canActivate(): boolean {
      return false
    }
  }
  @UseGuards(Guard)
  @Processor(letters)
  class Guarded {
    process(): void {}
  }
  const provider = { provide: Guarded, useFactory: () => new Guarded() }
  const error = await startError({ imports: [PgqModule.forRoot(options)], providers: [provider] })
  expect(error.message).toContain(
    'Guarded is provided by useFactory or useValue, so Nest does not make its Guard',
  )
})

test('a stand-in for a processor that has no such method', async () => {
  const { options } = await freshSchema()
  const error = await startError({
    imports: [PgqModule.forRoot(options)],
    providers: [{ provide: LetterProcessor, useValue: {} }],
  })
  expect(error.message).toContain('LetterProcessor.process in AppModule handles letter, and it is no method')
})

test('a decorator of pgq where it could have no effect', async () => {
  const { options } = await freshSchema()
  expect(() => {
    class Chores {
      @Process(letters)
      static deliver(): void {}
      other(): void {}
    }
    return Chores
  }).toThrow('@Process stands on Chores.deliver, which is static')
  const secret = Symbol('deliver')
  expect(() => {
    class Chores {
      @OnJobEvent('job.dead')
      [secret](): void {}
    }
    return Chores
  }).toThrow('@OnJobEvent stands on Chores.Symbol(deliver), whose name is a symbol')
  expect(() => OnJobEvent('job.ded' as 'job.dead')).toThrow('the event of @OnJobEvent is "job.ded"')

  @Injectable()
  class Express extends Postman {
    override deliver(): void {}
  }
  const error = await startError({ imports: [PgqModule.forRoot(options)], providers: [Express] })
  expect(error).toMatchObject({ code: 'INVALID_OPTION' })
  expect(error.message).toContain('Express.deliver overrides Postman.deliver, which has a decorator of pgq')

  @Injectable()
  class Careful extends Postman {
    @Process(letters)
    override deliver(): void {}
  }
  await startApp({ imports: [PgqModule.forRoot(options)], providers: [Careful] })
})

test('options that forRootAsync does not have', () => {
  const misspelt = { useFactory: () => ({}), schema: 'jobs' } as object
  expect(() => PgqModule.forRootAsync(misspelt)).toThrow('PgqModule.forRootAsync has no option "schema"')
  expect(() => PgqModule.forRootAsync(undefined as never)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION' }),
  )
})

test('options of the worker are looked at where none starts', async () => {
  const { options } = await freshSchema()
  const forRoot = (worker: object) => () => PgqModule.forRoot({ ...options, worker })
  expect(forRoot({ concurrency: 0 })).toThrow('concurrency is 0')
  expect(forRoot({ concurency: 3 })).toThrow('has no option "concurency"')
  expect(forRoot({ lease: '1ms' })).toThrow('lease is "1ms"')
  expect(forRoot({ queues: [] })).toThrow('for none at all, set worker: false')
  expect(forRoot({ queues: 'mail' })).toThrow('worker.queues is "mail"')
  expect(forRoot({ queues: [{ queue: 'mail', concurrency: 0 }] })).toThrow('concurrency is 0')
  expect(forRoot({ queues: [{ queue: 'mail', limit: 1 }] })).toThrow('has no option "limit"')
  expect(forRoot({ queues: [undefined] })).toThrow(expect.objectContaining({ code: 'INVALID_QUEUE' }))
  const before = process.env['PGQ_WORKER']
  process.env['PGQ_WORKER'] = '0'
  try {
    const useFactory = () => ({ ...options, worker: { concurency: 3 } as object })
    const error = await startError({ imports: [PgqModule.forRootAsync({ useFactory })] })
    expect(error.message).toContain('has no option "concurency"')
  } finally {
    if (before === undefined) delete process.env['PGQ_WORKER']
    else process.env['PGQ_WORKER'] = before
  }
})

test('a queue to work on that has no handler', async () => {
  const { options } = await freshSchema()
  const error = await startError({
    imports: [PgqModule.forRoot({ ...options, worker: { queues: ['leter'] } })],
    providers: [LetterProcessor],
  })
  expect(error.message).toContain('queue "leter" has no handler on the connection "default"')
})

test('a client that is used before its connection is ready', async () => {
  const { options } = await freshSchema()
  @Injectable()
  class Eager {
    constructor(@InjectQueue(letters) queue: QueueClient<typeof letters>) {
      void queue.counts()
    }
  }
  @Module({ imports: [PgqModule.forFeature([letters])], providers: [Eager] })
  class FeatureModule {}
  const useFactory = async () => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    return options
  }
  const error = await startError({
    imports: [FeatureModule, PgqModule.forRootAsync({ isGlobal: false, useFactory })],
  })
  expect(error).toMatchObject({ code: 'INVALID_OPTION' })
  expect(error.message).toContain(
    'the client of queue "letter" was used before its connection "default" was ready',
  )
})
