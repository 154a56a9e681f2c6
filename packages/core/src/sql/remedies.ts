import { quoteIdentifier, quoteLiteral, type Tables } from './statement.ts'

/** What a diagnosis tells people to run: nothing here is run by the package. */

const qualified = (t: Tables, name: string): string => `${t.schema}.${quoteIdentifier(name)}`

export const TURN_AUTOVACUUM_ON =
  'ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf()'

export const enableAutovacuum = (t: Tables, table: string): string =>
  `ALTER TABLE ${qualified(t, table)} RESET (autovacuum_enabled)`

export const vacuumEarly = (t: Tables, table: string, scaleFactor: number): string =>
  `ALTER TABLE ${qualified(t, table)} SET (autovacuum_vacuum_scale_factor = ${scaleFactor}, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0)`

export const vacuum = (t: Tables, table: string): string => `VACUUM ${qualified(t, table)}`

export const reindex = (t: Tables, index: string): string =>
  `REINDEX INDEX CONCURRENTLY ${qualified(t, index)}`

export const endSession = (pid: string): string => `SELECT pg_terminate_backend(${pid})`

export const rollBackPrepared = (id: string): string => `ROLLBACK PREPARED ${quoteLiteral(id).trim()}`

export const dropSlot = (slot: string): string => `SELECT pg_drop_replication_slot(${quoteLiteral(slot)})`
