import { epochMs } from './columns.ts'
import type { Statement, Tables } from './statement.ts'

/** What one queue did since it was last written down. */
export interface QueueDeeds {
  readonly queue_name: string
  readonly completed: number
  readonly failed: number
  readonly dead: number
  readonly cancelled: number
  readonly waited_ms: number
  readonly ran_ms: number
}

/** How long minutes are kept. */
const KEPT = `interval '2 days'`
/** Where periods begin to count: a whole hour, whatever the time zone of the session. */
const ORIGIN = `timestamptz '2000-01-01 00:00:00+00'`

/**
 * Adds to the current minute of some queues. Queues are locked in the order of their names, and nobody waits for the disk: figures
 * may be lost in a crash.
 */
export const addMinutes = (t: Tables): Statement<readonly QueueDeeds[], { readonly queues: string }> => ({
  name: 'add to the minute',
  text: `
WITH undurable AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
added AS (
  INSERT INTO ${t.queueMinutes} AS old (minute, queue_name, completed, failed, dead, cancelled, waited_ms, ran_ms)
  SELECT date_bin('1 minute', clock_timestamp(), ${ORIGIN}),
         new.queue_name, new.completed, new.failed, new.dead, new.cancelled, new.waited_ms, new.ran_ms
  FROM undurable
  CROSS JOIN jsonb_to_recordset($1::text::jsonb) AS new (
    queue_name text, completed bigint, failed bigint, dead bigint, cancelled bigint, waited_ms float8, ran_ms float8)
  ORDER BY new.queue_name
  ON CONFLICT (minute, queue_name) DO UPDATE SET
    completed = old.completed + excluded.completed, failed = old.failed + excluded.failed,
    dead = old.dead + excluded.dead, cancelled = old.cancelled + excluded.cancelled,
    waited_ms = old.waited_ms + excluded.waited_ms, ran_ms = old.ran_ms + excluded.ran_ms
  RETURNING 1
)
SELECT count(*) AS queues FROM added`,
  values: (deeds) => [JSON.stringify(deeds)],
})

/** One period of one queue. */
export interface PeriodRow {
  readonly queue_name: string
  readonly start_ms: string
  readonly completed: string
  readonly failed: string
  readonly dead: string
  readonly cancelled: string
  readonly waited_ms: string
  readonly ran_ms: string
}

/** What queues did, in periods of whole minutes; periods without anything are left out. */
export const readMinutes = (
  t: Tables,
): Statement<
  { readonly queue: string | null; readonly sinceMs: number; readonly periodMs: number },
  PeriodRow
> => ({
  name: 'read the minutes',
  text: `
SELECT period.queue_name, ${epochMs('period.start')} AS start_ms,
       sum(period.completed) AS completed, sum(period.failed) AS failed, sum(period.dead) AS dead, sum(period.cancelled) AS cancelled,
       sum(period.waited_ms) AS waited_ms, sum(period.ran_ms) AS ran_ms
FROM (SELECT date_bin($3::float8 * interval '1 ms', minute.minute, ${ORIGIN}) AS start, minute.*
      FROM ${t.queueMinutes} AS minute
      WHERE minute.minute >= date_bin($3::float8 * interval '1 ms', now() - $2::float8 * interval '1 ms', ${ORIGIN})
        AND ($1::text IS NULL OR minute.queue_name = $1)) AS period
GROUP BY period.queue_name, period.start
ORDER BY period.queue_name, period.start`,
  values: ({ queue, sinceMs, periodMs }) => [queue, sinceMs, periodMs],
})

/** Forgets the minutes of the days before. */
export const forgetMinutes = (t: Tables): Statement<void, never> => ({
  name: 'forget old minutes',
  text: `DELETE FROM ${t.queueMinutes} WHERE minute < now() - ${KEPT}`,
  values: () => [],
})
