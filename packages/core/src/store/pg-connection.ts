import pg from 'pg'
import { clientOfHosts } from './hosts.ts'

/** What is needed to open connections, as `pg` takes it. */
export interface ConnectionConfig extends pg.PoolConfig {
  /** Where there are several: a connection string for each host. Connections go to the one that takes writes. */
  readonly hosts?: readonly string[]
}

/** A connection to nowhere must fail, not hang: how long to wait for one, in ms. */
const CONNECT_TIMEOUT_MS = 10_000

const DEFAULTS: ConnectionConfig = {
  keepAlive: true,
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  application_name: 'pgq',
}

/** Opens a pool of our own: with keep-alive and a limit on connecting, which the driver's defaults lack. */
export function openPool(config: ConnectionConfig, max: number, overrides: ConnectionConfig = {}): pg.Pool {
  const { hosts } = config
  // Shared by all connections of the pool, so that those which are opened together look for the primary once.
  const seeking = hosts && { Client: clientOfHosts(hosts) }
  return new pg.Pool({ ...DEFAULTS, ...config, ...seeking, ...overrides, max })
}

/** Opens one connection outside any pool, for LISTEN. */
export function openClient(config: ConnectionConfig): pg.Client {
  const Client = config.hosts ? clientOfHosts(config.hosts) : pg.Client
  return new Client({ ...DEFAULTS, ...config, query_timeout: CONNECT_TIMEOUT_MS })
}

/** The settings of a pool, for opening more connections like its own. Its password is not enumerable, so a spread loses it. */
export function configOf(pool: pg.Pool): ConnectionConfig {
  const config: ConnectionConfig = { ...pool.options }
  if (pool.options.password !== undefined) config.password = pool.options.password
  const { ssl } = pool.options
  if (typeof ssl === 'object' && ssl.key !== undefined) config.ssl = { ...ssl, key: ssl.key }
  return config
}

/** Keeps a set of the connections that a pool has open. */
export function trackConnections(pool: pg.Pool, connections: Set<pg.ClientBase>): void {
  pool.on('connect', (client) => void connections.add(client))
  pool.on('remove', (client) => void connections.delete(client))
}
