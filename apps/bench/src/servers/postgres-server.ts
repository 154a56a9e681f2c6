import { type Postgres, startPostgres } from '@pgq/embedded-postgres'
import pg from 'pg'

/** What differs from PostgreSQL's defaults: a server of some size, whose checkpoints don't fall into a run. */
const SETTINGS = {
  shared_buffers: '1GB',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  max_connections: '300',
  // Loaded for the count of statements, and off but in the databases of warm-up rounds.
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track': 'none',
}

/** What is shown of the server's settings. */
const SHOWN = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_level',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'autovacuum',
]

/**
 * What clients have sent in this database. The readings themselves are not in it, because their connection is older than the setting; nor
 * are the checks of deferred foreign keys, which run at commit and look like statements of a client then.
 */
const COUNT_STATEMENTS = `(
  SELECT coalesce(sum(calls), 0)::float8
  FROM pg_stat_statements
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND query NOT LIKE 'SELECT $_ FROM ONLY %'
)`

/** How long to wait for autovacuum to finish what it is at, in ms. */
const AUTOVACUUM_MS = 60_000
/** How long to wait for connections that are being closed, in ms. */
const GOODBYE_MS = 2_000
const LOOK_EVERY_MS = 50

/** The one PostgreSQL that all contestants take turns on, each turn in an empty database. */
export class PostgresServer {
  readonly #postgres: Postgres
  readonly #admin: pg.Client
  readonly #settings: Readonly<Record<string, string>>
  #databases = 0

  private constructor(postgres: Postgres, admin: pg.Client, settings: Readonly<Record<string, string>>) {
    this.#postgres = postgres
    this.#admin = admin
    this.#settings = settings
  }

  /** Starts a durable server. Rejects unless it says itself that commits wait for the disk. */
  static async start(): Promise<PostgresServer> {
    const postgres = await startPostgres({ durable: true, settings: SETTINGS })
    try {
      const admin = await connect(postgres.url)
      const settings: Record<string, string> = {}
      for (const name of SHOWN) settings[name] = String((await admin.query(`SHOW ${name}`)).rows[0][name])
      if (settings['fsync'] !== 'on' || settings['synchronous_commit'] !== 'on')
        throw new Error(
          `PostgreSQL runs with ${JSON.stringify(settings)}: without durable commits nothing is comparable`,
        )
      return new PostgresServer(postgres, admin, settings)
    } catch (error) {
      await postgres.stop()
      throw error
    }
  }

  /** What the server says of itself. */
  get settings(): Readonly<Record<string, string>> {
    return this.#settings
  }

  /** Makes an empty database. */
  async createDatabase(): Promise<Database> {
    const name = `bench_${++this.#databases}`
    await this.#admin.query(`CREATE DATABASE ${name}`)
    const url = new URL(this.#postgres.url)
    url.pathname = name
    const client = await connect(url.href)
    await client.query('CREATE EXTENSION pg_stat_statements')
    return new Database(name, url.href, client, this.#admin)
  }

  async stop(): Promise<void> {
    await this.#admin.end()
    await this.#postgres.stop()
  }
}

/** What was written and run between two readings. */
export interface Meter {
  readonly walBytes: number
  /** `undefined` where they were not counted. */
  readonly statements: number | undefined
}

/** One database, seen from outside of who is measured in it. */
export class Database {
  readonly url: string
  readonly #name: string
  readonly #client: pg.Client
  readonly #admin: pg.Client
  #counts = false

  constructor(name: string, url: string, client: pg.Client, admin: pg.Client) {
    this.#name = name
    this.url = url
    this.#client = client
    this.#admin = admin
  }

  /** Has the server count the statements of connections that are opened from now on, or not: counting takes some time itself. */
  async countStatements(on: boolean): Promise<void> {
    await this.#admin.query(
      `ALTER DATABASE ${this.#name} SET pg_stat_statements.track = '${on ? 'top' : 'none'}'`,
    )
    this.#counts = on
  }

  /** Brings the database into the same state for everybody: vacuumed, analyzed, nothing left to write, no vacuum at work. */
  async settle(): Promise<void> {
    const { rows } = await this.#client.query<{ tables: string | null }>(
      `SELECT string_agg(format('%I.%I', schemaname, relname), ', ') AS tables FROM pg_stat_user_tables`,
    )
    if (rows[0]?.tables) await this.#client.query(`VACUUM (ANALYZE) ${rows[0].tables}`)
    const deadline = performance.now() + AUTOVACUUM_MS
    while (performance.now() < deadline && (await this.#isVacuuming())) await pause(LOOK_EVERY_MS)
    await this.#admin.query('CHECKPOINT')
  }

  /** Begins to measure; the answer ends it. */
  async meter(): Promise<() => Promise<Meter>> {
    const before = await this.#read()
    return async () => {
      const after = await this.#read()
      return {
        walBytes: after.wal - before.wal,
        statements: this.#counts ? after.statements - before.statements : undefined,
      }
    }
  }

  /** Holds a snapshot open until the answer is called: nothing that is deleted meanwhile can be removed by vacuum. */
  async holdSnapshot(): Promise<() => Promise<void>> {
    const client = await connect(this.url)
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await client.query('SELECT count(*) FROM pg_class')
    return async () => {
      const { rows } = await client.query<{ state: string }>(
        'SELECT state FROM pg_stat_activity WHERE pid = pg_backend_pid() AND backend_xmin IS NOT NULL',
      )
      await client.end()
      if (rows.length !== 1) throw new Error('the snapshot was not held to the end')
    }
  }

  /** Watches who waits for a lock; the answer says in how many looks how many did, and how many deadlocks there were. */
  async watchLocks(): Promise<() => Promise<{ looks: number; waits: number; deadlocks: number }>> {
    let [looks, waits] = [0, 0]
    const before = await this.#deadlocks()
    const client = await connect(this.url)
    const over = new AbortController()
    const look = async (): Promise<void> => {
      const { rows } = await client.query<{ waiting: number }>(
        `SELECT count(*)::integer AS waiting
         FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      looks++
      waits += rows[0]?.waiting ?? 0
    }
    const watching = (async () => {
      while (!over.signal.aborted) {
        await look()
        await pause(LOOK_EVERY_MS)
      }
    })()
    return async () => {
      over.abort()
      await watching
      await look()
      await client.end()
      return { looks, waits, deadlocks: (await this.#deadlocks()) - before }
    }
  }

  /** Drops the database once the last connection has gone: a pool of `pg` is done with closing before its sockets are. */
  async drop(): Promise<void> {
    await this.#client.end()
    const deadline = performance.now() + GOODBYE_MS
    while (performance.now() < deadline && (await this.#isConnected())) await pause(LOOK_EVERY_MS)
    await this.#admin.query(`DROP DATABASE ${this.#name} WITH (FORCE)`)
  }

  async #isConnected(): Promise<boolean> {
    const { rowCount } = await this.#admin.query('SELECT FROM pg_stat_activity WHERE datname = $1', [
      this.#name,
    ])
    return (rowCount ?? 0) > 0
  }

  async #isVacuuming(): Promise<boolean> {
    const { rowCount } = await this.#admin.query(
      `SELECT FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'`,
    )
    return (rowCount ?? 0) > 0
  }

  async #read(): Promise<{ wal: number; statements: number }> {
    const statements = this.#counts ? COUNT_STATEMENTS : '0::float8'
    const { rows } = await this.#client.query<{ wal: number; statements: number }>(
      `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS wal,
              ${statements} AS statements`,
    )
    return rows[0] ?? { wal: 0, statements: 0 }
  }

  async #deadlocks(): Promise<number> {
    await this.#client.query('SELECT pg_stat_clear_snapshot()')
    const { rows } = await this.#client.query<{ deadlocks: number }>(
      'SELECT deadlocks::integer AS deadlocks FROM pg_stat_database WHERE datname = current_database()',
    )
    return rows[0]?.deadlocks ?? 0
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' })
  // Connections are cut when the server stops; whoever needs one hears of it from its query.
  client.on('error', () => {})
  await client.connect()
  return client
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
