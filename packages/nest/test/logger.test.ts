import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { defineQueue, type JobOf, type } from '@pgq/core'
import { expect, onTestFinished, test } from 'vitest'
import { PgqModule, type PgqModuleOptions, Processor } from '../src/index.ts'
import { freshSchema } from './support/fresh-schema.ts'
import { settled } from './support/settled.ts'

const letters = defineQueue('letter', { payload: type<{ to?: string }>(), maxAttempts: 1 })

@Processor(letters)
class LetterProcessor {
  process(job: JobOf<typeof letters>): void {
    if (job.payload.to === undefined) throw new Error('no address')
  }
}

/** What Nest's logger is told while one job goes well and one dies, and what the level was. */
async function linesWith(logger: PgqModuleOptions['logger']): Promise<string[]> {
  const { options, pgq } = await freshSchema()
  const lines: string[] = []
  const line =
    (level: string) =>
    (message: unknown): void =>
      void lines.push(`${level} ${String(message)}`)
  @Module({
    imports: [PgqModule.forRoot({ ...options, worker: true, logger: logger ?? true })],
    providers: [LetterProcessor],
  })
  class AppModule {}
  const nest = { log: line('log'), warn: line('warn'), error: line('error'), debug: line('debug') }
  const app = await NestFactory.createApplicationContext(AppModule, { logger: nest })
  onTestFinished(() => app.close())
  const [good, bad] = await pgq.enqueueMany(letters, [{ to: 'Ada' }, {}])
  await settled(pgq, good!.id)
  await settled(pgq, bad!.id)
  await app.close()
  return lines.filter((one) => one.includes('pgq '))
}

test('events go to the logger of Nest, without a line for each job that goes well', async () => {
  const lines = await linesWith(true)
  expect(lines).toContainEqual(expect.stringMatching(/^log pgq worker\.started: worker /))
  expect(lines).toContainEqual(expect.stringMatching(/^error pgq job\.dead: letter .*no address/))
  expect(lines.filter((line) => line.includes('job.completed'))).toEqual([])
})

test('with debug there is one, and without a logger there is nothing', async () => {
  expect(await linesWith('debug')).toContainEqual(expect.stringMatching(/^debug pgq job\.completed: letter /))
  expect(await linesWith(false)).toEqual([])
})

test('a logger of the application gets everything', async () => {
  const own: string[] = []
  const take = (message: string): unknown => own.push(message)
  expect(await linesWith({ debug: take, info: take, warn: take, error: take })).toEqual([])
  expect(own).toContainEqual(expect.stringMatching(/^pgq job\.completed: letter /))
  expect(own).toContainEqual(expect.stringMatching(/^pgq worker\.stopped: worker /))
})
