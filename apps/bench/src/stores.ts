import { rosterEntry } from './roster.ts'
import type { Entry, Store } from './scenarios/scenario.ts'
import type { Database, PostgresServer } from './servers/postgres-server.ts'
import type { RedisServer } from './servers/redis-server.ts'

/** A store, for one turn. */
export interface OpenStore {
  readonly store: Store
  readonly database: Database | undefined
  readonly isNew: boolean
}

/** Gives every turn an empty store: a database of its own, or an emptied Redis. Or every entry one that it keeps. */
export class Stores {
  readonly #postgres: PostgresServer
  readonly #redis: RedisServer | undefined
  readonly #keeps: boolean
  readonly #open = new Map<Entry, OpenStore>()

  constructor(servers: { postgres: PostgresServer; redis: RedisServer | undefined }, keeps: boolean) {
    this.#postgres = servers.postgres
    this.#redis = servers.redis
    this.#keeps = keeps
  }

  async open(entry: Entry, isWarmUp: boolean): Promise<OpenStore> {
    const kept = this.#open.get(entry)
    if (kept) {
      await kept.database?.countStatements(isWarmUp)
      return { ...kept, isNew: false }
    }
    const opened =
      rosterEntry(entry.contestant).store === 'redis'
        ? await this.#openRedis()
        : await this.#openDatabase(isWarmUp)
    this.#open.set(entry, opened)
    return opened
  }

  /** After a turn. */
  async close(entry: Entry): Promise<void> {
    if (!this.#keeps) await this.#drop(entry)
  }

  async dropAll(): Promise<void> {
    for (const entry of this.#open.keys()) await this.#drop(entry)
  }

  async #drop(entry: Entry): Promise<void> {
    const opened = this.#open.get(entry)
    this.#open.delete(entry)
    if (opened?.database) await opened.database.drop()
    else if (opened) await this.#redis?.clear()
  }

  async #openDatabase(countStatements: boolean): Promise<OpenStore> {
    const database = await this.#postgres.createDatabase()
    await database.countStatements(countStatements)
    return { store: database, database, isNew: true }
  }

  async #openRedis(): Promise<OpenStore> {
    if (!this.#redis) throw new Error('there is no Redis')
    await this.#redis.clear()
    const store: Store = {
      url: this.#redis.url,
      settle: async () => {},
      meter: async () => async () => undefined,
    }
    return { store, database: undefined, isNew: true }
  }
}
