import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { openPgq } from '../src/contestants/pgq.ts'
import type { ContestantProcess } from '../src/process/contestant-process.ts'
import type { Entry, Stage } from '../src/scenarios/scenario.ts'
import { Database } from '../src/servers/postgres-server.ts'
import { tasksFor } from '../src/tasks/tasks.ts'

/** What a turn says of itself besides. */
export type StageOptions = Pick<Stage, 'entry' | 'jobs'> & Partial<Pick<Stage, 'scale'>>

/** Has a turn of pgq taken on an empty database of the tests' server, its processes all being this one. */
export async function onStage<T>(options: StageOptions, take: (stage: Stage) => Promise<T>): Promise<T> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  const url = Object.assign(new URL(inject('databaseUrl')), { pathname: name }).href
  const admin = await connect(inject('databaseUrl'))
  await admin.query(`CREATE DATABASE ${name}`)
  const database = new Database(name, url, await connect(url), admin)
  try {
    const hire = (): Promise<ContestantProcess> => Promise.resolve(inThisProcess())
    return await take({ scale: 1, ...options, store: database, database, isNewStore: true, hire })
  } finally {
    await database.drop()
    await admin.end()
  }
}

/** pgq, as the scenarios compare it with others. */
export const ours: Entry = { label: 'pgq', contestant: 'pgq', role: 'ours' }

/** A contestant's process without the process. */
function inThisProcess(): ContestantProcess {
  let contestant: ReturnType<typeof openPgq>
  let tasks: ReturnType<typeof tasksFor>
  const stand: Pick<ContestantProcess, 'open' | 'close' | 'do' | 'end'> = {
    async open(url) {
      contestant = openPgq(url)
      tasks = tasksFor(contestant)
    },
    close: () => contestant.close(),
    do: (task, options) => tasks[task](options as never) as never,
    end: () => Promise.resolve(),
  }
  return stand as ContestantProcess
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' })
  await client.connect()
  return client
}
