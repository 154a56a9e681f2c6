import { PGlite } from '@electric-sql/pglite'
import { drizzle as drizzleNodePostgres, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll } from 'vitest'

/** A Drizzle database on one of the drivers. */
export interface OpenDatabase {
  /** Typed as that of node-postgres: the others have the same methods. */
  readonly db: NodePgDatabase
  /** Runs SQL beside Drizzle: several statements when there are no values. */
  readonly sql: <Row>(text: string, values?: unknown[]) => Promise<Row[]>
  readonly close: () => Promise<void>
}

export const DRIVERS = ['node-postgres', 'postgres-js', 'pglite'] as const

/** The drivers that the suites run on. */
export type Driver = (typeof DRIVERS)[number]

/** Opens a database of Drizzle's: PGlite makes one of its own, the others connect to the server of the tests. */
export function openDrizzle(driver: Driver, databaseUrl: string): Promise<OpenDatabase> {
  return openers[driver](databaseUrl)
}

const openers: Record<Driver, (databaseUrl: string) => Promise<OpenDatabase>> = {
  'node-postgres': async (connectionString) => {
    const pool = new pg.Pool({ connectionString, max: 5 })
    return {
      db: drizzleNodePostgres({ client: pool }),
      sql: async (text, values) => (await pool.query(text, values)).rows,
      close: () => pool.end(),
    }
  },
  'postgres-js': async (url) => {
    const client = postgres(url, { max: 5, onnotice: () => {} })
    return {
      db: drizzlePostgresJs({ client }) as unknown as NodePgDatabase,
      sql: async (text, values = []) => [...(await client.unsafe(text, values as never[]))] as never[],
      close: () => client.end(),
    }
  },
  pglite: async () => {
    inProcess ??= PGlite.create()
    const client = await inProcess
    return {
      db: drizzlePglite({ client }) as unknown as NodePgDatabase,
      sql: async (text, values) => {
        if (values) return (await client.query(text, values)).rows as never[]
        return ((await client.exec(text)).at(-1)?.rows ?? []) as never[]
      },
      close: async () => {},
    }
  },
}

/** PGlite takes seconds to start, and many on a busy machine: the tests of a file share one. */
let inProcess: Promise<PGlite> | undefined
afterAll(async () => {
  await (await inProcess)?.close()
})

/** How long PGlite may take to start when every core is busy, in ms. */
const START_MS = 180_000

/** Has the drivers ready before the tests of a file begin, so that no test waits for one to start. */
export function startDrivers(): void {
  beforeAll(async () => {
    inProcess ??= PGlite.create()
    await inProcess
  }, START_MS)
}
