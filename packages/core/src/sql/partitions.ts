import { deleteSome } from './delete-some.ts'
import { quoteIdentifier, quoteLiteral, type Statement, type Tables } from './statement.ts'

export interface DayRow {
  /** The day in UTC, as 2026-11-20. */
  readonly day: string
}

/** The days (UTC) from today on that have no partition yet and no rows in the default one, which would have to move first. */
export const missingDays = (t: Tables): Statement<{ readonly daysAhead: number }, DayRow> => ({
  name: 'list missing days',
  text: `
SELECT to_char(day, 'YYYY-MM-DD') AS day
FROM generate_series(date_trunc('day', now() AT TIME ZONE 'UTC'),
                     date_trunc('day', now() AT TIME ZONE 'UTC') + $1::integer * interval '1 day', interval '1 day') AS day
WHERE to_regclass(${quoteLiteral(t.schema)} || '.jobs_completed_' || to_char(day, 'YYYYMMDD')) IS NULL
  AND NOT EXISTS (
    SELECT FROM ${t.completedDefault} AS job
    WHERE job.completed_at >= day AT TIME ZONE 'UTC' AND job.completed_at < (day + interval '1 day') AT TIME ZONE 'UTC')`,
  values: ({ daysAhead }) => [daysAhead],
})

/** The days whose partition lies wholly before the retention. */
export const expiredDays = (t: Tables): Statement<{ readonly keepMs: number }, DayRow> => ({
  name: 'list expired days',
  text: `
SELECT to_char(day, 'YYYY-MM-DD') AS day
FROM pg_inherits AS child
JOIN pg_class AS partition ON partition.oid = child.inhrelid
CROSS JOIN LATERAL (SELECT to_date(substring(partition.relname FROM '^jobs_completed_([0-9]{8})$'), 'YYYYMMDD') AS day) AS named
WHERE child.inhparent = ${quoteLiteral(t.completed)}::regclass
  AND named.day IS NOT NULL
  AND (named.day + 1)::timestamp AT TIME ZONE 'UTC' <= now() - $1::float8 * interval '1 ms'
ORDER BY day`,
  values: ({ keepMs }) => [keepMs],
})

/**
 * Makes the partition of one day. Created apart and attached, because ATTACH locks the parent only against other DDL,
 * while CREATE TABLE … PARTITION OF would stop every reader and writer of the history.
 */
export function createDay(t: Tables, day: string): string[] {
  const name = dayTable(t, day)
  return [
    `CREATE TABLE ${name} (LIKE ${t.completed} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)`,
    `ALTER TABLE ${t.completed} ATTACH PARTITION ${name}
     FOR VALUES FROM ('${day} 00:00:00+00') TO ('${nextDay(day)} 00:00:00+00')`,
  ]
}

/** Drops the partition of one day, and the jobs completed on it. */
export const dropDay = (t: Tables, day: string): string[] => [`DROP TABLE IF EXISTS ${dayTable(t, day)}`]

/** Deletes completed jobs past their retention from the default partition, which only holds what no day could. */
export const deleteExpiredCompleted = (
  t: Tables,
): Statement<{ readonly keepMs: number; readonly limit: number }, { readonly id: string }> =>
  deleteExpired('delete expired completed jobs', t.completedDefault)

/** Deletes dead and cancelled jobs past their retention, a bounded number at a time. */
export const deleteExpiredDead = (
  t: Tables,
): Statement<{ readonly keepMs: number; readonly limit: number }, { readonly id: string }> =>
  deleteExpired('delete expired dead jobs', t.dead)

const deleteExpired = (
  name: string,
  table: string,
): Statement<{ readonly keepMs: number; readonly limit: number }, { readonly id: string }> => ({
  name,
  text: `${deleteSome(
    table,
    `past.completed_at < now() - $1::float8 * interval '1 ms'
     -- Written by hand without a time: then its age counts.
     OR (past.completed_at IS NULL AND past.created_at < now() - $1::float8 * interval '1 ms')`,
    '$2',
  )}
RETURNING id`,
  values: ({ keepMs, limit }) => [keepMs, limit],
})

function dayTable(t: Tables, day: string): string {
  return `${t.schema}.${quoteIdentifier(`jobs_completed_${day.replaceAll('-', '')}`)}`
}

function nextDay(day: string): string {
  const date = new Date(`${day}T00:00:00Z`)
  date.setUTCDate(date.getUTCDate() + 1)
  return date.toISOString().slice(0, 10)
}
