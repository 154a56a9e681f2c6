import pg from 'pg'
import { FLOOR } from '../roster.ts'
import type { Contestant, OpenContestant, WorkOrder } from './contestant.ts'
import { openPgq } from './pgq.ts'

/** A statement of pgq, as its sources build it. */
interface Statement<Params, Row = object> {
  readonly text: string
  readonly values: (params: Params) => readonly unknown[]
  /** Only a type. */
  readonly row?: Row
}

/** What this contestant needs of pgq's statements. They are no public API, so their shape is written down here. */
interface Statements {
  readonly claim: Statement<
    {
      readonly workerId: string
      readonly wanted: readonly {
        readonly queue: string
        readonly limit: number
        readonly floor: undefined
      }[]
    },
    ClaimedRow
  >
  readonly settle: Statement<
    {
      readonly claims: readonly { readonly id: string; readonly fence: number; readonly workerId: string }[]
      readonly results: null
      readonly problems: null
    },
    SettledRow
  >
  readonly register: Statement<{
    readonly id: string
    readonly name: string
    readonly hostname: string
    readonly pid: number
    readonly queues: readonly string[]
    readonly concurrency: number
    readonly leaseMs: number
  }>
}

interface ClaimedRow {
  readonly id: string
  /** Priority, attempts, max_attempts, fence and others, separated by blanks. */
  readonly numbers: string
}

interface SettledRow {
  /** Null when all of the batch were accepted. */
  readonly accepted: string | null
}

/** The same in all runs: each has a database of its own. */
const WORKER_ID = '00000000-0000-7000-8000-000000000001'
/** Longer than any run, since nothing renews it, in ms. */
const LEASE_MS = 600_000
/** As pgq does it: what comes back is text. */
const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => value }

/**
 * pgq's own claim and settle in a bare loop: no handlers, no types, no events, no leases. While one batch is settled the
 * next is claimed, on two connections, as its worker does. The difference to pgq is what the machinery around them costs.
 */
export const openFloor: OpenContestant = (url): Contestant => ({
  ...openPgq(url),
  isBare: true,
  startWorker: (order) => startLoop(url, order),
})

async function startLoop(url: string, order: WorkOrder): Promise<() => Promise<void>> {
  const statements = await readStatements()
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  const run = async <Row extends object, Params>(
    { text, values }: Statement<Params, Row>,
    params: Params,
  ): Promise<Row[]> => (await pool.query<Row>({ text, values: [...values(params)], types: AS_TEXT })).rows
  await run(statements.register, {
    id: WORKER_ID,
    name: 'floor',
    hostname: 'floor',
    pid: process.pid,
    queues: order.queues,
    concurrency: 1,
    leaseMs: LEASE_MS,
  })
  const wanted = order.queues.map((queue) => ({ queue, limit: FLOOR.batch, floor: undefined }))
  const claim = (): Promise<ClaimedRow[]> => run(statements.claim, { workerId: WORKER_ID, wanted })
  const settle = async (rows: readonly ClaimedRow[]): Promise<void> => {
    const claims = rows
      .map(({ id, numbers }) => ({ id, fence: Number(numbers.split(' ')[3]), workerId: WORKER_ID }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    const [settled] = await run(statements.settle, {
      claims,
      results: null,
      problems: null,
    })
    if (settled?.accepted !== null)
      throw new Error('the floor has a database of its own, and yet lost a claim')
    rows.forEach(order.onEnded)
  }

  const over = new AbortController()
  const loop = async (): Promise<void> => {
    let settling = Promise.resolve()
    while (!over.signal.aborted) {
      const rows = await claim()
      order.onBegun()
      await settling
      settling = rows.length > 0 ? settle(rows) : pause()
    }
    await settling
  }
  const looping = loop()
  return async () => {
    over.abort()
    await looping
    await pool.end()
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

/** Takes the statements from the package that is measured, so that there is no copy of them to go stale. */
async function readStatements(): Promise<Statements> {
  const core = new URL('.', import.meta.resolve('@pgq/core'))
  const load = async (file: string): Promise<Record<string, (tables: unknown) => never>> =>
    (await import(new URL(`sql/${file}.js`, core).href)) as Record<string, (tables: unknown) => never>
  const build = async (file: string, name: string): Promise<(tables: unknown) => never> => {
    const statement = (await load(file))[name]
    if (!statement)
      throw new Error(`@pgq/core has no statement ${name} in sql/${file}: the floor must follow it`)
    return statement
  }
  const tables = (await build('statement', 'tablesIn'))('pgq')
  return {
    claim: (await build('claim-jobs', 'claimJobs'))(tables),
    settle: (await build('settle-completed', 'settleCompleted'))(tables),
    register: (await build('workers', 'registerWorker'))(tables),
  }
}
