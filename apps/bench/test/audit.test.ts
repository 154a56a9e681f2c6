import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { openPgq } from '../src/contestants/pgq.ts'
import { BenchFault } from '../src/fault.ts'
import type { ContestantProcess } from '../src/process/contestant-process.ts'
import type { Stage } from '../src/scenarios/scenario.ts'
import { checkStint, fillQueue, workOff } from '../src/scenarios/turns.ts'
import { type Tasks, tasksFor } from '../src/tasks/tasks.ts'

const JOBS = 20
const database = `bench_audit_${randomBytes(6).toString('hex')}`
const admin = new pg.Client({ connectionString: inject('databaseUrl') })
const url = Object.assign(new URL(inject('databaseUrl')), { pathname: database }).href

beforeAll(async () => {
  await admin.connect()
  await admin.query(`CREATE DATABASE ${database}`)
})

afterAll(async () => {
  await admin.query(`DROP DATABASE ${database} WITH (FORCE)`)
  await admin.end()
})

/** A contestant's process without the process. */
function inThisProcess(): ContestantProcess {
  let contestant = openPgq(url)
  return {
    open: async () => void (contestant = openPgq(url)),
    close: () => contestant.close(),
    do: (task: keyof Tasks, options: never) => tasksFor(contestant)[task](options),
    end: () => Promise.resolve(),
  } as unknown as ContestantProcess
}

const stage: Stage = {
  entry: { label: 'pgq', contestant: 'pgq', role: 'ours' },
  jobs: JOBS,
  scale: 1,
  store: {
    url,
    settle: () => Promise.resolve(),
    meter: () => Promise.resolve(() => Promise.resolve({ walBytes: 2_000, statements: 5 })),
  },
  database: undefined,
  isNewStore: true,
  hire: () => Promise.resolve(inThisProcess()),
}

test('work that was not done is found out, whatever the contestant says', async () => {
  const before = await fillQueue(stage)
  expect(before).toEqual({ added: JOBS, live: JOBS, failed: 0, completed: 0 })

  const lying = checkStint(stage, before, { handled: JOBS })
  await expect(lying).rejects.toThrow(BenchFault)
  await expect(lying).rejects.toThrow('pgq did not do what it was asked to')

  await expect(checkStint(stage, before, { handled: JOBS - 1 })).rejects.toThrow('handled 19 of 20 jobs')

  const { value, figures } = await workOff(stage, before)
  expect(value).toBeGreaterThan(0)
  expect(figures).toMatchObject({ walBytesPerJob: 100, statementsPer1000Jobs: 250, repeated: 0 })
})
