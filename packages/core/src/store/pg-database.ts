import pg from 'pg'
import { PgqError } from '../errors.ts'
import type { Statement } from '../sql/statement.ts'
import { databaseError } from './database-error.ts'
import type { Database, TransactionSession } from './database.ts'

/** Leaves every value as the text that PostgreSQL sent: an application may have changed the driver's parsers. */
const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => value }

/** A connection to nowhere must fail, not hang: how long to wait for one, in ms. */
const CONNECT_TIMEOUT_MS = 10_000
/** No statement of ours takes this long; a socket that swallows everything must not stop a loop for ever. In ms. */
const QUERY_TIMEOUT_MS = 30_000

/** What is needed to open connections, as `pg` takes it. */
export type ConnectionConfig = pg.PoolConfig

/** Opens a pool of our own: with keep-alive and time limits, which the driver's defaults lack. */
export function openPool(config: ConnectionConfig, max: number, limits: ConnectionConfig = {}): pg.Pool {
  return new pg.Pool({
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    application_name: 'pgq',
    ...config,
    ...limits,
    max,
  })
}

/** Opens one connection outside any pool, for LISTEN. */
export function openClient(config: ConnectionConfig): pg.Client {
  return new pg.Client({
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    application_name: 'pgq listener',
    ...config,
  })
}

/** The settings of a pool, for opening more connections like its own. Its password is not enumerable, so a spread loses it. */
export function configOf(pool: pg.Pool): ConnectionConfig {
  const config: ConnectionConfig = { ...pool.options }
  if (pool.options.password !== undefined) config.password = pool.options.password
  const { ssl } = pool.options
  if (typeof ssl === 'object' && ssl.key !== undefined) config.ssl = { ...ssl, key: ssl.key }
  return config
}

/** The database over a pool of `pg`. */
export class PgDatabase implements Database {
  readonly #pool: pg.Pool
  readonly #schema: string
  readonly #ours: boolean

  /** @param ours whether to close the pool with this object */
  constructor(pool: pg.Pool, schema: string, ours: boolean) {
    this.#pool = pool
    this.#schema = schema
    this.#ours = ours
    // An idle connection that breaks is replaced; without a listener the event would end the process.
    if (pool.listenerCount('error') === 0) pool.on('error', ignore)
  }

  async run<Params, Row>(statement: Statement<Params, Row>, params: Params): Promise<Row[]> {
    try {
      return await runOn(this.#pool, statement, params)
    } catch (error) {
      throw databaseError(error, statement.name, this.#schema)
    }
  }

  async transaction<T>(work: (session: TransactionSession) => Promise<T>): Promise<T> {
    const client = await this.#connect()
    let broken: Error | undefined
    const onError = (error: Error): void => {
      broken = error
    }
    client.on('error', onError)
    try {
      return await this.#inTransaction(client, work)
    } catch (error) {
      // A connection whose transaction could not be ended properly must not go back into the pool.
      if (!(await this.#rollBack(client))) broken ??= new Error('the transaction could not be rolled back')
      throw error
    } finally {
      client.release(broken)
      client.off('error', onError)
    }
  }

  async close(): Promise<void> {
    if (this.#ours && !this.#pool.ending) await this.#pool.end()
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      throw databaseError(error, 'connect', this.#schema)
    }
  }

  async #inTransaction<T>(
    client: pg.PoolClient,
    work: (session: TransactionSession) => Promise<T>,
  ): Promise<T> {
    const execute = async (text: string): Promise<void> => {
      try {
        await client.query(text)
      } catch (error) {
        throw databaseError(error, firstWords(text), this.#schema)
      }
    }
    await execute('BEGIN')
    const answer = await work({
      run: async (statement, params) => {
        try {
          return await runOn(client, statement, params)
        } catch (error) {
          throw databaseError(error, statement.name, this.#schema)
        }
      },
      execute,
      queryable: client,
    })
    await this.#commit(client)
    return answer
  }

  /** PostgreSQL answers a COMMIT after a failed statement with ROLLBACK, and no error. */
  async #commit(client: pg.PoolClient): Promise<void> {
    let done: string
    try {
      done = (await client.query('COMMIT')).command
    } catch (error) {
      throw databaseError(error, 'COMMIT', this.#schema)
    }
    if (done === 'COMMIT') return
    const message =
      'cannot COMMIT: a statement of the transaction has failed, so PostgreSQL has rolled it back'
    throw new PgqError('DATABASE_REJECTED', message, { sqlState: '25P02' })
  }

  async #rollBack(client: pg.PoolClient): Promise<boolean> {
    try {
      await client.query('ROLLBACK')
      return true
    } catch {
      return false
    }
  }
}

async function runOn<Params, Row>(
  on: Pick<pg.Pool, 'query'> | Pick<pg.PoolClient, 'query'>,
  statement: Statement<Params, Row>,
  params: Params,
): Promise<Row[]> {
  const values = [...statement.values(params)]
  const { rows } = await on.query<Row & pg.QueryResultRow>({ text: statement.text, values, types: AS_TEXT })
  return rows
}

const firstWords = (text: string): string => text.trim().split(/\s+/).slice(0, 3).join(' ')

function ignore(): void {}
