import type pg from 'pg'
import { isPgqError, PgqError } from '../errors.ts'
import { jittered } from '../runtime/clock.ts'
import type { Statement } from '../sql/statement.ts'
import { databaseError, sqlStateOf } from './database-error.ts'
import { destroyConnection } from './destroy-connection.ts'
import { trackConnections } from './pg-connection.ts'
import type { Database, TransactionSession } from './database.ts'

/** Leaves every value as the text that PostgreSQL sent: an application may have changed the driver's parsers. */
const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => value }

/** No statement of ours takes this long; a socket that swallows everything must not stop a loop for ever. In ms. */
const PATIENCE_MS = 30_000
/** How long a connection may take to roll back before it is thrown away, in ms. */
const ROLLBACK_PATIENCE_MS = 5_000
/** How often a single statement is run again that met a serialization failure or a deadlock. */
const CONFLICT_RETRIES = 5

/** The SQLSTATE of a write to a standby, or to what has become one. */
const READ_ONLY = '25006'

/** What a database is made of. */
export interface PgDatabaseOptions {
  readonly pool: pg.Pool
  readonly schema: string
  /** Whether the pool is closed with this object. */
  readonly ours: boolean
  /** The longest wait for the answer to a statement, in ms. @default 30000 */
  readonly patienceMs?: number
}

/** The database over a pool of `pg`. */
export class PgDatabase implements Database {
  readonly #pool: pg.Pool
  readonly #schema: string
  readonly #ours: boolean
  readonly #patienceMs: number
  readonly #connections = new Set<pg.ClientBase>()

  constructor({ pool, schema, ours, patienceMs = PATIENCE_MS }: PgDatabaseOptions) {
    this.#pool = pool
    this.#schema = schema
    this.#ours = ours
    this.#patienceMs = patienceMs
    // An idle connection that breaks is replaced; without a listener the event would end the process.
    if (pool.listenerCount('error') === 0) pool.on('error', ignore)
    // And a connection may break in the moment it is opened, before anybody else can listen.
    pool.on('connect', listenToErrors)
    if (ours) trackConnections(pool, this.#connections)
  }

  /** A statement that met a conflict has done nothing, being its own transaction: it is run again a few times. */
  async run<Params, Row>(statement: Statement<Params, Row>, params: Params): Promise<Row[]> {
    for (let retries = 0; ; retries++) {
      try {
        return await this.#runOn(this.#pool, statement, params)
      } catch (error) {
        if (retries >= CONFLICT_RETRIES || !isPgqError(error, 'DATABASE_CONFLICT')) throw error
        await new Promise((resolve) => setTimeout(resolve, jittered(5 * 2 ** retries, 0.5)))
      }
    }
  }

  async transaction<T>(work: (session: TransactionSession) => Promise<T>): Promise<T> {
    const client = await this.#attempt('connect', () => this.#pool.connect())
    let broken: Error | undefined
    // A client that loses its connection while it is checked out tells only itself, and ends the process if nobody listens.
    const onError = (error: Error): void => {
      broken ??= error
    }
    client.on('error', onError)
    try {
      return await this.#inTransaction(client, work)
    } catch (error) {
      const lost = broken
      // A connection whose transaction could not be ended properly must not go back into the pool.
      if (!(await rollBack(client))) broken ??= new Error('the transaction could not be rolled back')
      // Nor one to a server that takes no writes any more: the next may find the one that does.
      if (sqlStateOf(error) === READ_ONLY) broken ??= new Error('the server takes no writes')
      // Why a connection was lost it has told nobody else: what comes next only says that it is.
      if (lost === undefined || !isPgqError(error, 'DATABASE_UNAVAILABLE')) throw error
      throw databaseError(lost, 'go on with the transaction', this.#schema)
    } finally {
      client.release(broken)
      client.off('error', onError)
    }
  }

  async close(): Promise<void> {
    if (this.#ours && !this.#pool.ending) await this.#pool.end()
    // A pool of the application's may see many of us come and go. What it still has open stays listened to.
    this.#pool.off('connect', listenToErrors)
  }

  destroy(): void {
    for (const client of this.#connections) destroyConnection(client)
  }

  async #inTransaction<T>(
    client: pg.PoolClient,
    work: (session: TransactionSession) => Promise<T>,
  ): Promise<T> {
    const execute = async (text: string): Promise<string> =>
      (await this.#attempt(firstWords(text), () => client.query(text))).command
    await execute('BEGIN')
    const answer = await work({
      run: (statement, params) => this.#runOn(client, statement, params),
      execute: async (text) => void (await execute(text)),
      isOpen: () => (client as StatusClient).getTransactionStatus?.() !== 'I',
      queryable: client,
    })
    // PostgreSQL answers a COMMIT after a failed statement with ROLLBACK, and no error.
    if ((await execute('COMMIT')) === 'COMMIT') return answer
    throw new PgqError(
      'DATABASE_REJECTED',
      'cannot COMMIT: a statement of the transaction has failed, so PostgreSQL has rolled it back',
      { sqlState: '25P02' },
    )
  }

  #runOn<Params, Row>(on: Runner, statement: Statement<Params, Row>, params: Params): Promise<Row[]> {
    const query: TimedQuery = {
      text: statement.text,
      values: [...statement.values(params)],
      types: AS_TEXT,
      query_timeout: statement.patienceMs ?? this.#patienceMs,
    }
    return this.#attempt(statement.name, async () => (await on.query<Row & pg.QueryResultRow>(query)).rows)
  }

  async #attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw databaseError(error, doing, this.#schema)
    }
  }
}

/** Newer versions of `pg` tell what the server says of the transaction: I is for idle. */
type StatusClient = pg.PoolClient & { getTransactionStatus?(): string | null }
type Runner = Pick<pg.Pool, 'query'> | Pick<pg.PoolClient, 'query'>
type TimedQuery = pg.QueryConfig & { readonly query_timeout: number }

async function rollBack(client: pg.PoolClient): Promise<boolean> {
  const query: TimedQuery = { text: 'ROLLBACK', query_timeout: ROLLBACK_PATIENCE_MS }
  try {
    await client.query(query)
    return true
  } catch {
    return false
  }
}

const firstWords = (text: string): string => text.trim().split(/\s+/).slice(0, 3).join(' ')

function ignore(): void {}

const listenToErrors = (client: pg.ClientBase): void => void client.on('error', ignore)
