import { epochMs } from './columns.ts'
import type { Statement } from './statement.ts'

/** What the server says of itself. */
export interface ServerRow {
  readonly version: string
  readonly standby: string
  readonly autovacuum: string
  readonly track_counts: string
  readonly fsync: string
  readonly synchronous_commit: string
  readonly sees_all: string
}

/** The settings that the promises rest on, as this role has them, and whether it may see what others do. */
export const readServer = (): Statement<void, ServerRow> => ({
  name: 'read the settings of the server',
  text: `
SELECT current_setting('server_version_num') AS version,
       pg_is_in_recovery()::text AS standby,
       current_setting('autovacuum') AS autovacuum,
       current_setting('track_counts') AS track_counts,
       current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS synchronous_commit,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')::text AS sees_all`,
  values: () => [],
})

/** Who keeps dead rows from being removed. */
export interface HolderRow {
  readonly kind: 'session' | 'standby' | 'prepared' | 'slot'
  /** The process id, the global id or the name of the slot. */
  readonly name: string
  readonly owner: string | null
  /** What it is doing: the state of a session, whether a slot is in use. */
  readonly state: string | null
  readonly query: string | null
  /** How many transactions have begun since. */
  readonly age: string
  /** Since when its transaction is open, in ms; null where nobody knows. */
  readonly held_ms: string | null
}

/**
 * Who holds the xmin horizon of this database back, the oldest first. Rows that have died since then stay where they are, for
 * everybody. What is visible depends on the rights of the role; vacuum itself counts for nothing.
 */
export const findHolders = (): Statement<void, HolderRow> => ({
  name: 'find who holds the horizon back',
  text: `
SELECT * FROM (
  SELECT CASE activity.backend_type WHEN 'walsender' THEN 'standby' ELSE 'session' END AS kind,
         activity.pid::text AS name,
         concat_ws(', ', activity.usename, nullif(activity.application_name, '')) AS owner,
         activity.state,
         left(activity.query, 120) AS query,
         greatest(age(activity.backend_xmin), age(activity.backend_xid)) AS age,
         ${epochMs('(clock_timestamp() - activity.xact_start)')} AS held_ms
  FROM pg_stat_activity AS activity
  WHERE (activity.backend_xmin IS NOT NULL OR activity.backend_xid IS NOT NULL)
    AND activity.pid <> pg_backend_pid()
    AND activity.backend_type <> 'autovacuum worker'
    AND (activity.datname = current_database() OR activity.backend_type = 'walsender')
  UNION ALL
  SELECT 'prepared', prepared.gid, prepared.owner, 'prepared', NULL, age(prepared.transaction),
         ${epochMs('(clock_timestamp() - prepared.prepared)')}
  FROM pg_prepared_xacts AS prepared
  WHERE prepared.database = current_database()
  UNION ALL
  SELECT 'slot', slot.slot_name, slot.slot_type, CASE WHEN slot.active THEN 'in use' ELSE 'not in use' END, NULL, age(slot.xmin), NULL
  FROM pg_replication_slots AS slot
  WHERE slot.xmin IS NOT NULL
) AS holder
ORDER BY holder.age DESC, holder.held_ms DESC NULLS LAST
LIMIT 20`,
  values: () => [],
})

/** What time it is there. */
export const readClock = (): Statement<void, { readonly now_ms: string }> => ({
  name: 'read the clock',
  text: `SELECT ${epochMs('clock_timestamp()')} AS now_ms`,
  values: () => [],
})

/** Which process of the server answers: behind a pooler that shares connections, another one may do so next time. */
export const BACKEND_PID = 'SELECT pg_backend_pid()::text AS pid'
