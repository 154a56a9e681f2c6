import pg from 'pg'

/** What is needed to open connections, as `pg` takes it. */
export type ConnectionConfig = pg.PoolConfig

/** A connection to nowhere must fail, not hang: how long to wait for one, in ms. */
const CONNECT_TIMEOUT_MS = 10_000

const DEFAULTS: ConnectionConfig = {
  keepAlive: true,
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  application_name: 'pgq',
}

/** Opens a pool of our own: with keep-alive and a limit on connecting, which the driver's defaults lack. */
export function openPool(config: ConnectionConfig, max: number, overrides: ConnectionConfig = {}): pg.Pool {
  return new pg.Pool({ ...DEFAULTS, ...config, ...overrides, max })
}

/** Opens one connection outside any pool, for LISTEN. */
export function openClient(config: ConnectionConfig): pg.Client {
  return new pg.Client({ ...DEFAULTS, ...config, query_timeout: CONNECT_TIMEOUT_MS })
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

/** Closes the socket under a connection: a polite end would wait for a peer that may be gone. */
export function destroyConnection(client: pg.ClientBase): void {
  const { connection } = client as { connection?: { stream?: { destroy(): void } } }
  connection?.stream?.destroy()
}
