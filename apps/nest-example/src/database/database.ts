import pg from 'pg'

/** The application's database: a pool, and transactions on it. */
export class Database {
  readonly pool: pg.Pool
  readonly #stopServer: () => Promise<void>

  private constructor(url: string, stopServer: () => Promise<void>) {
    this.pool = new pg.Pool({ connectionString: url })
    // A connection may break at any time, also between two queries of a transaction: without a listener that would end the process.
    this.pool.on('connect', (client) => client.on('error', () => {}))
    this.pool.on('error', (error) => console.error(`an idle connection broke: ${error.message}`))
    this.#stopServer = stopServer
  }

  /** Connects to a database, or to a server of its own when there is none, and makes the tables. */
  static async open(url: string | undefined): Promise<Database> {
    const server = url === undefined ? await startServer() : { url, stop: async () => {} }
    const database = new Database(server.url, () => server.stop())
    await database.transaction((tx) => tx.query(TABLES))
    return database
  }

  /** Runs work in a transaction. Give `tx` to `enqueue` too, and the jobs commit with the rows. */
  async transaction<T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
    const tx = await this.pool.connect()
    let broken: Error | undefined
    try {
      await tx.query('BEGIN')
      const answer = await work(tx)
      await tx.query('COMMIT')
      return answer
    } catch (error) {
      await tx.query('ROLLBACK').catch((failure: Error) => (broken = failure))
      throw error
    } finally {
      tx.release(broken) // one that is broken does not go back into the pool
    }
  }

  async close(): Promise<void> {
    await this.pool.end()
    await this.#stopServer()
  }
}

/** Only for trying things out, so it is not even loaded otherwise. */
async function startServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const { startPostgres } = await import('@pgq/embedded-postgres')
  return startPostgres()
}

/** Under a lock, because all processes do this when they start. */
const TABLES = `
  SELECT pg_advisory_xact_lock(hashtext('shop'));
  CREATE TABLE IF NOT EXISTS orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer text NOT NULL,
    item text NOT NULL,
    cents integer NOT NULL
  );
  CREATE TABLE IF NOT EXISTS invoices (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders
  );
  CREATE TABLE IF NOT EXISTS sent_mails (
    idempotency_key uuid PRIMARY KEY,
    recipient text NOT NULL,
    body text NOT NULL
  );`
