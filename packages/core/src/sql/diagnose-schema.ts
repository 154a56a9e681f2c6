import { epochMs } from './columns.ts'
import { quoteLiteral, type Statement, type Tables } from './statement.ts'

/** A table, with what statistics say of it. */
export interface TableRow {
  readonly name: string
  /** A JSON array of its storage parameters, as in `autovacuum_enabled=false`. */
  readonly settings: string
  readonly bytes: string
  readonly live_rows: string
  readonly dead_rows: string
  /** How many bytes a row has, as of the last ANALYZE. */
  readonly row_bytes: string
  readonly vacuumed_ms: string | null
  /** A JSON array of `{name, bytes, valid}`. */
  readonly indexes: string
}

/** The tables of the schema. It reads catalogs and statistics only, whatever the tables hold. */
export const measureTables = (t: Tables): Statement<void, TableRow> => ({
  name: 'measure the tables',
  text: `
SELECT relation.relname AS name,
       to_jsonb(coalesce(relation.reloptions, '{}')) AS settings,
       pg_relation_size(relation.oid) AS bytes,
       coalesce(statistic.n_live_tup, 0) AS live_rows,
       coalesce(statistic.n_dead_tup, 0) AS dead_rows,
       coalesce((SELECT sum(col.avg_width) FROM pg_stats AS col
                 WHERE col.schemaname = $1 AND col.tablename = relation.relname AND NOT col.inherited), 0) + 28 AS row_bytes,
       ${epochMs('greatest(statistic.last_vacuum, statistic.last_autovacuum)')} AS vacuumed_ms,
       coalesce((SELECT jsonb_agg(jsonb_build_object('name', index_class.relname, 'bytes', pg_relation_size(index_class.oid), 'valid', entry.indisvalid)
                                  ORDER BY index_class.relname)
                 FROM pg_index AS entry
                 JOIN pg_class AS index_class ON index_class.oid = entry.indexrelid
                 WHERE entry.indrelid = relation.oid), '[]') AS indexes
FROM pg_class AS relation
LEFT JOIN pg_stat_user_tables AS statistic ON statistic.relid = relation.oid
WHERE relation.relkind = 'r'
  AND relation.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
ORDER BY relation.relname`,
  values: () => [t.name],
})

/** Today and the days to come (UTC), and whether there is a partition for what completes on them. */
export const lookForDays = (
  t: Tables,
): Statement<{ readonly daysAhead: number }, { readonly day: string; readonly present: string }> => ({
  name: 'look for the partitions of days',
  text: `
SELECT to_char(day, 'YYYY-MM-DD') AS day,
       (to_regclass(${quoteLiteral(t.schema)} || '.jobs_completed_' || to_char(day, 'YYYYMMDD')) IS NOT NULL)::text AS present
FROM generate_series(date_trunc('day', now() AT TIME ZONE 'UTC'),
                     date_trunc('day', now() AT TIME ZONE 'UTC') + $1::integer * interval '1 day', interval '1 day') AS day
ORDER BY day`,
  values: ({ daysAhead }) => [daysAhead],
})

/** How many completed jobs lie in no day, counted up to a limit. */
export const countStrayCompleted = (
  t: Tables,
): Statement<{ readonly limit: number }, { readonly jobs: string }> => ({
  name: 'count completed jobs that lie in no day',
  text: `SELECT count(*) AS jobs FROM (SELECT FROM ${t.completedDefault} LIMIT $1) AS job`,
  values: ({ limit }) => [limit],
})

/** A worker that is not well, or all that is known of who holds some jobs. */
export interface HealthRow {
  readonly id: string
  /** Null when there is no such worker. */
  readonly name: string | null
  readonly state: 'alive' | 'late' | 'lost' | 'unknown'
  readonly listening: string
  /** A JSON array. */
  readonly queues: string
  /** How long its lease has run out, in ms; negative while it has not. */
  readonly late_ms: string | null
  /** How many jobs are in its name. */
  readonly jobs: string
}

/** All workers, and whoever else holds jobs. What is processing fits into a few pages. */
export const examineWorkers = (t: Tables): Statement<void, HealthRow> => ({
  name: 'examine the workers',
  text: `
SELECT coalesce(worker.id, holder.id) AS id, worker.name,
       CASE WHEN worker.id IS NULL THEN 'unknown'
            WHEN worker.lost_at IS NOT NULL THEN 'lost'
            WHEN worker.lease_until < clock_timestamp() THEN 'late'
            ELSE 'alive' END AS state,
       coalesce(worker.listening, false)::text AS listening,
       to_jsonb(coalesce(worker.queues, '{}')) AS queues,
       ${epochMs('(clock_timestamp() - worker.lease_until)')} AS late_ms,
       coalesce(holder.jobs, 0) AS jobs
FROM ${t.workers} AS worker
FULL JOIN (SELECT job.locked_by AS id, count(*) AS jobs FROM ${t.processing} AS job GROUP BY job.locked_by) AS holder
  ON holder.id = worker.id
ORDER BY worker.started_at, worker.id`,
  values: () => [],
})

/** Whether somebody leads, which is who does the maintenance. */
export const lookForLeader = (t: Tables): Statement<void, { readonly leads: string }> => ({
  name: 'look for the leader',
  text: `SELECT EXISTS (SELECT FROM ${t.leader} WHERE lease_until > clock_timestamp())::text AS leads`,
  values: () => [],
})
