import { Injectable } from '@nestjs/common'
import { defineQueue, type JobOf, type Pgq, tickOf, type } from '@pgq/core'
import { until } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { getPgqToken, PgqModule, Process, Processor, Schedule } from '../src/index.ts'
import { freshSchema } from './support/fresh-schema.ts'
import { startApp, startError } from './support/start-app.ts'

const beats = defineQueue('beat', { payload: type<{ kind: string }>() })
const cleanups = defineQueue('cleanup', { payload: type<{ days: number }>() })

@Processor(beats)
@Schedule(beats, { every: '1s' }, { kind: 'fast' })
@Schedule(beats, { cron: '0 0 1 1 *' }, { kind: 'yearly' }, { name: 'beat.yearly' })
class BeatProcessor {
  readonly ticks: string[] = []

  async process(job: JobOf<typeof beats>) {
    this.ticks.push(`${job.payload.kind} ${tickOf(job)?.at.toISOString()}`)
  }
}

@Injectable()
class Janitor {
  @Process(cleanups)
  @Schedule(cleanups, { cron: '0 3 * * *', timezone: 'Europe/Berlin' }, { days: 30 })
  async cleanUp(_job: JobOf<typeof cleanups>) {}
}

const root = async () => PgqModule.forRoot({ ...(await freshSchema()).options, worker: { lease: '1s' } })

test('@Schedule on a processor and on a method: one job for each tick, in however many applications', async () => {
  const imports = [await root()]
  const apps = [await startApp({ imports, providers: [BeatProcessor, Janitor] })]
  apps.push(await startApp({ imports, providers: [BeatProcessor, Janitor] }))
  const seen = () => apps.flatMap((app) => app.get(BeatProcessor).ticks)
  await until('three ticks have run', () => seen().length >= 3)
  expect(new Set(seen()).size).toBe(seen().length)
  const pgq = apps[0]?.get<Pgq>(getPgqToken()) as Pgq
  expect(
    (await pgq.schedules.list()).map(({ name, declared, payload }) => [name, declared, payload]),
  ).toEqual([
    ['beat', true, { kind: 'fast' }],
    ['beat.yearly', true, { kind: 'yearly' }],
    ['cleanup', true, { days: 30 }],
  ])
})

test('a @Schedule for a queue without a handler keeps the application from starting', async () => {
  class Lonely {
    @Schedule(cleanups, { every: '1h' }, { days: 1 })
    async cleanUp() {}
  }
  Injectable()(Lonely)
  const error = await startError({ imports: [await root()], providers: [Lonely] })
  expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('Lonely.cleanUp') })
  expect(error.message).toContain('"cleanup"')
})

test('a wrong rule fails where the decorator stands', () => {
  expect(() => Schedule(cleanups, { cron: 'at noon' }, { days: 1 })).toThrow(
    expect.objectContaining({ code: 'INVALID_SCHEDULE' }),
  )
  // @ts-expect-error -- a payload of the wrong type
  expect(() => Schedule(undefined, { every: '1h' }, { days: 'one' })).toThrow(/undefined instead of a queue/)
  // @ts-expect-error -- a payload of the wrong type
  Schedule(cleanups, { every: '1h' }, { days: 'one' })
})
