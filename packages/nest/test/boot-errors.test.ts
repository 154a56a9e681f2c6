import { Controller, Get, Injectable, Module, Scope, UseGuards } from '@nestjs/common'
import { defineQueue } from '@pgq/core'
import { expect, test } from 'vitest'
import { InjectQueue, OnJobEvent, PgqModule, Process, Processor } from '../src/index.ts'
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
  expect((await startError({ imports: [PgqModule.forRoot(misspelt)] })).message).toContain('"shema"')
  expect(() => PgqModule.forRoot({ ...options, pgq })).toThrow('has no option "connectionString"')
  const worker = await startError({
    imports: [PgqModule.forRoot({ ...options, worker: { concurrency: 0 } })],
    providers: [LetterProcessor],
  })
  expect(worker.message).toContain('concurrency is 0')
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
