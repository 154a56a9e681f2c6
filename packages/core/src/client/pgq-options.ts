import type pg from 'pg'
import { PgqError, show } from '../errors.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { integerOption, isStorableText, knownOptions } from '../runtime/options.ts'
import { eachHost } from '../store/hosts.ts'
import { configOf, type ConnectionConfig } from '../store/pg-connection.ts'

/** What `createPgq` takes: `connectionString`, `connection` or `pool`, one of them. */
export interface PgqOptions {
  /** As in `postgres://user:password@host:5432/database`. Of several hosts, `host1:5432,host2:5432`, the one that takes writes is used. */
  readonly connectionString?: string
  /** The same in parts, as `pg` takes it: host, ssl and so on. */
  readonly connection?: pg.PoolConfig
  /** The application's own pool, which stays open after `close`. Workers open connections of their own with its settings. */
  readonly pool?: pg.Pool
  /** The schema that holds the queue: any name of 1 to 63 bytes. @default pgq */
  readonly schema?: string
  /** The largest payload, in bytes of JSON, 1 kB to 64 MB. @default 1048576, 1 MiB */
  readonly maxPayloadBytes?: number
  /** How long ended jobs are kept: completed ones 1 d to 100 y (whole days are dropped), dead and cancelled ones 0 to 100 y. @default 7d and 30d */
  readonly retention?: { readonly completed?: Duration; readonly dead?: Duration }
}

/** The options with their defaults. */
export interface PgqSettings {
  /** The application's pool, if it gave one. */
  readonly pool: pg.Pool | undefined
  /** What connections of our own are opened with. */
  readonly connection: ConnectionConfig
  readonly schema: string
  readonly maxPayloadBytes: number
  readonly retention: { readonly completedMs: number; readonly deadMs: number }
}

/**
 * Checks the options of a queue.
 * @throws PgqError INVALID_OPTION
 */
export function pgqSettings(options: PgqOptions): PgqSettings {
  knownOptions('createPgq', options, [
    'connectionString',
    'connection',
    'pool',
    'schema',
    'maxPayloadBytes',
    'retention',
  ])
  const { pool, config } = connectionOption(options)
  return {
    pool,
    connection: config,
    schema: schemaOption(options.schema ?? 'pgq'),
    maxPayloadBytes: integerOption(
      'maxPayloadBytes',
      options.maxPayloadBytes ?? 1_048_576,
      1_000,
      64_000_000,
    ),
    retention: retentionOption(options.retention ?? {}),
  }
}

function connectionOption({ connectionString, connection, pool }: PgqOptions): {
  pool: pg.Pool | undefined
  config: ConnectionConfig
} {
  const given = [connectionString, connection, pool].filter((option) => option !== undefined)
  if (given.length !== 1) {
    throw new PgqError(
      'INVALID_OPTION',
      `createPgq needs one of connectionString, connection and pool, and was given ${given.length} of them`,
    )
  }
  if (connectionString !== undefined) {
    if (typeof connectionString === 'string' && /^postgres(ql)?:\/\//.test(connectionString))
      return { pool: undefined, config: withHosts({ connectionString }) }
    throw new PgqError('INVALID_OPTION', 'connectionString must begin with postgres:// or postgresql://')
  }
  if (connection !== undefined) {
    if (typeof connection === 'object' && connection !== null)
      return { pool: undefined, config: withHosts(connection) }
    throw new PgqError(
      'INVALID_OPTION',
      `connection is ${show(connection)}: it must be an object such as { host, database }`,
    )
  }
  if (typeof pool?.connect !== 'function' || typeof pool.options !== 'object') {
    throw new PgqError('INVALID_OPTION', `pool is ${show(pool)}: it must be a Pool of pg`)
  }
  return { pool, config: configOf(pool) }
}

function withHosts(config: ConnectionConfig): ConnectionConfig {
  const hosts = typeof config.connectionString === 'string' ? eachHost(config.connectionString) : []
  const [first] = hosts
  return first === undefined || hosts.length === 1 ? config : { ...config, connectionString: first, hosts }
}

function schemaOption(schema: unknown): string {
  const ok =
    typeof schema === 'string' &&
    schema.length > 0 &&
    Buffer.byteLength(schema) <= 63 &&
    isStorableText(schema)
  if (ok && !schema.startsWith('pg_')) return schema
  throw new PgqError(
    'INVALID_OPTION',
    `schema is ${show(schema)}: it must be a name of 1 to 63 bytes that does not begin with pg_`,
  )
}

function retentionOption(retention: object & NonNullable<PgqOptions['retention']>): {
  completedMs: number
  deadMs: number
} {
  knownOptions('retention', retention, ['completed', 'dead'])
  return {
    completedMs: durationMs('retention.completed', retention.completed ?? '7d', { min: 86_400_000 }),
    deadMs: durationMs('retention.dead', retention.dead ?? '30d'),
  }
}
