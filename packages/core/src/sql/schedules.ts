import { epochMs } from './columns.ts'
import type { Statement, Tables } from './statement.ts'

/** A schedule as it is stored: text, or null. Times are ms since 1970. */
export interface ScheduleRow {
  readonly name: string
  readonly queue: string
  readonly cron: string | null
  readonly every: string | null
  readonly once: string | null
  readonly timezone: string
  readonly starts: string | null
  readonly ends: string | null
  readonly missed: string
  readonly payload: string
  readonly options: string
  readonly next: string | null
  readonly last: string | null
  readonly job: string | null
  readonly paused: string | null
  readonly resumed: string | null
  readonly finished: string | null
  readonly retired: string | null
  readonly declared: string
  readonly error: string | null
  readonly since: string
  readonly version: string
  readonly created: string
  /** `next` in microseconds, as it stands: to tell whether it was changed. */
  readonly exact: string | null
  /** What the database's clock says. */
  readonly clock: string
}

const ms = (column: string): string => `(${epochMs(column)})::text`

/** Names of one word, and text alone: some of it runs on other people's drivers. */
const COLUMNS = `name, queue_name AS queue, cron, every_ms::text AS every, ${ms('once_at')} AS once, timezone,
  ${ms('starts_at')} AS starts, ${ms('ends_at')} AS ends, missed, payload::text, options::text,
  ${ms('next_at')} AS next, ${ms('last_at')} AS last, last_job_id::text AS job, ${ms('paused_at')} AS paused, ${ms('resumed_at')} AS resumed,
  ${ms('finished_at')} AS finished, ${ms('retired_at')} AS retired, declared::text, error, ${ms('since')} AS since,
  version::text, ${ms('created_at')} AS created, (extract(epoch FROM next_at) * 1000000)::bigint::text AS exact,
  ${ms('statement_timestamp()')} AS clock`

const ACTIVE = 'paused_at IS NULL AND retired_at IS NULL AND finished_at IS NULL AND error IS NULL'

/**
 * The schedules that are due, the longest due first, and after them the next one that will be. It reads that many rows, however many there are,
 * beside those of `except`.
 */
export const dueSchedules = (
  t: Tables,
): Statement<{ readonly limit: number; readonly except: readonly string[] }, ScheduleRow> => ({
  name: 'find due schedules',
  text: `
(SELECT ${COLUMNS} FROM ${t.schedules}
 WHERE ${ACTIVE} AND (next_at IS NULL OR next_at <= statement_timestamp()) AND name <> ALL ($2)
 ORDER BY next_at NULLS FIRST LIMIT $1)
UNION ALL
(SELECT ${COLUMNS} FROM ${t.schedules}
 WHERE ${ACTIVE} AND next_at > statement_timestamp()
 ORDER BY next_at LIMIT 1)`,
  values: ({ limit, except }) => [limit, except],
})

/** Runs ticks. Answers one row for each schedule that stood as it was seen, and one for each job that a unique key held back. */
export const runTicks = (
  t: Tables,
): Statement<
  { readonly plans: string },
  { readonly schedule: string | null; readonly deduplicated: string | null }
> => ({
  name: 'run the ticks of schedules',
  text: `SELECT schedule, deduplicated FROM ${t.schema}.run_ticks($1::text::jsonb)`,
  values: ({ plans }) => [plans],
})

/** Makes the schedules what the live workers declare. */
export const syncSchedules = (t: Tables): Statement<void, never> => ({
  name: 'synchronise schedules',
  text: `SELECT FROM ${t.schema}.sync_schedules()
WHERE EXISTS (SELECT FROM ${t.scheduleDeclarations}) OR EXISTS (SELECT FROM ${t.schedules} WHERE declared AND retired_at IS NULL)`,
  values: () => [],
})

/** Says what a worker declares; answers since when, to say so again under another id. */
export const declareSchedules = (
  t: Tables,
): Statement<
  { readonly workerId: string; readonly definitions: string; readonly since: string | null },
  { readonly since: string }
> => ({
  name: 'declare schedules',
  text: `SELECT ${t.schema}.declare_schedules($1::uuid, $2::text::jsonb, $3::text::timestamptz) AS since`,
  values: ({ workerId, definitions, since }) => [workerId, definitions, since],
})

/** Deletes what finished or was retired long ago and nobody declares. */
export const forgetSchedules = (
  t: Tables,
): Statement<{ readonly finishedMs: number; readonly retiredMs: number }, { readonly name: string }> => ({
  name: 'forget old schedules',
  text: `
DELETE FROM ${t.schedules}
WHERE (NOT declared AND finished_at < statement_timestamp() - $1::float8 * interval '1 ms')
   OR retired_at < statement_timestamp() - $2::float8 * interval '1 ms'
RETURNING name`,
  values: ({ finishedMs, retiredMs }) => [finishedMs, retiredMs],
})

/** Creates or changes one; false when it is declared in code. */
export const writeSchedule = (
  t: Tables,
): Statement<{ readonly definition: string }, { readonly written: string }> => ({
  name: 'write a schedule',
  text: `SELECT ${t.schema}.write_schedule($1::text::jsonb)::text AS written`,
  values: ({ definition }) => [definition],
})

/** One by its name, or a page of them after a name. */
export const readSchedules = (
  t: Tables,
): Statement<
  { readonly name?: string; readonly after?: string; readonly queue?: string; readonly limit: number },
  ScheduleRow
> => ({
  name: 'read schedules',
  text: `
SELECT ${COLUMNS} FROM ${t.schedules}
WHERE ($1::text IS NULL OR name = $1) AND ($2::text IS NULL OR name > $2) AND ($3::text IS NULL OR queue_name = $3)
ORDER BY name LIMIT $4`,
  values: ({ name, after, queue, limit }) => [name ?? null, after ?? null, queue ?? null, limit],
})

/** Pauses or resumes one. Answers whether it is there. */
export const pauseSchedule = (
  t: Tables,
): Statement<{ readonly name: string; readonly paused: boolean }, { readonly name: string }> => ({
  name: 'pause or resume a schedule',
  text: `
UPDATE ${t.schedules} SET paused_at = CASE WHEN $2::boolean THEN coalesce(paused_at, clock_timestamp()) END
WHERE name = $1 RETURNING name`,
  values: ({ name, paused }) => [name, paused],
})

/** Removes one, unless it is declared in code. */
export const removeSchedule = (
  t: Tables,
): Statement<{ readonly name: string }, { readonly name: string }> => ({
  name: 'remove a schedule',
  text: `DELETE FROM ${t.schedules} WHERE name = $1 AND (NOT declared OR retired_at IS NOT NULL) RETURNING name`,
  values: ({ name }) => [name],
})

/** Enqueues a job of one now. */
export const runSchedule = (
  t: Tables,
): Statement<{ readonly name: string }, { readonly id: string; readonly deduplicated: string }> => ({
  name: 'run a schedule now',
  text: `SELECT id, deduplicated::text AS deduplicated FROM ${t.schema}.run_schedule($1::text)`,
  values: ({ name }) => [name],
})
