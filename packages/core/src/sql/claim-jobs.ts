import { epochMs, moveInto } from './columns.ts'
import type { Statement, Tables } from './statement.ts'

/** What to claim from one queue. */
export interface ClaimWanted {
  readonly queue: string
  readonly limit: number
  /** Look at nothing before this place in the order of the queue: a hint that saves walking dead index entries. */
  readonly floor: ClaimFloor | undefined
  /** The group that was served last: the turns of the groups go on after it. */
  readonly lastGroup?: string | undefined
}

/** A place in the order of a queue. */
export interface ClaimFloor {
  readonly priority: number
  readonly scheduledForMs: number
}

export interface ClaimParams {
  readonly workerId: string
  readonly wanted: readonly ClaimWanted[]
}

export interface ClaimRow {
  /** Null in the row that says how the claim from a limited queue went, as JSON in `payload`. */
  readonly id: string | null
  readonly queue_name: string
  readonly payload: string
  /** Priority, attempts, max_attempts, fence, crashes, the times of creation, schedule and claim in ms, and its group if it has one: a driver takes its time for each column. */
  readonly numbers: string
  readonly timeout_ms: string | null
  readonly backoff: string | null
  readonly metadata: string | null
}

/** The columns of a claimed job, as the worker reads them. */
export const claimedColumns = `id, queue_name, payload,
          concat_ws(' ', priority, attempts, max_attempts, fence, crashes, ${epochMs('created_at')}, ${epochMs('scheduled_for')}, ${epochMs('started_at')}, group_key),
          timeout_ms, backoff, metadata`

/** SQL for what a claim is given. */
interface ClaimGiven {
  readonly worker: string
  /** Lists of the same length: a queue each, how many of its jobs, and its floor. */
  readonly queues: string
  readonly slots: string
  readonly floorPriorities: string
  readonly floorsMs: string
  /** Whether what is claimed counts against a limit. */
  readonly limited: string
}

const PARAMETERS: ClaimGiven = {
  worker: '$1::uuid',
  queues: '$2::text[]',
  slots: '$3::integer[]',
  floorPriorities: '$4::integer[]',
  floorsMs: '$5::float8[]',
  limited: 'false',
}

/**
 * The statement inside of `claim_jobs`: moves due jobs of several queues from the waiting to the processing ones, at most
 * `slots` of each queue, the most urgent and the longest due first, and charges the attempt. Rows that someone else holds
 * are skipped.
 *
 * The plan must not depend on statistics, which are always out of date on this table:
 * - `level` steps from one priority to the next by index (a loose scan), so that within a level `scheduled_for <= now()`
 *   ends the index range. Without it a queue with a million delayed jobs is walked whole whenever a claim comes up short.
 * - the nested loops are the only way to run LATERAL sub-selects, and their LIMIT and FOR UPDATE keep them from being
 *   flattened; the outer LIMIT stops pulling, so no row is locked that is not claimed.
 * - MATERIALIZED locks once; without it the planner may run the sub-select again and lock more rows than were asked for.
 * - `ctid = ANY (ARRAY(…))` can only be a TID scan; a join here was seen to become a hash join over the whole table.
 *
 * A claim moves the row rather than updating it: an update would touch every index of the large table of waiting jobs, a
 * move touches the one small index of the processing ones, and what settles reads hot pages. The row of the worker must
 * be alive: what a process that was already given up sends late claims nothing.
 */
export const claimText = (t: Tables, given: ClaimGiven = PARAMETERS): string => `
WITH claimable AS MATERIALIZED (
  SELECT picked.tid
  FROM unnest(${given.queues}, ${given.slots}, ${given.floorPriorities}, ${given.floorsMs}) AS want (queue_name, slots, floor_priority, floor_ms)
  CROSS JOIN LATERAL (
    WITH RECURSIVE level (priority) AS (
      ( SELECT job.priority
        FROM ${t.waiting} AS job
        WHERE job.queue_name = want.queue_name AND job.group_key IS NULL
          AND (job.priority, job.scheduled_for) >= (want.floor_priority::smallint, to_timestamp(want.floor_ms / 1000))
        ORDER BY job.priority, job.scheduled_for
        LIMIT 1 )
      UNION ALL
      SELECT ( SELECT job.priority
               FROM ${t.waiting} AS job
               WHERE job.queue_name = want.queue_name AND job.group_key IS NULL
                 AND job.priority > level.priority
               ORDER BY job.priority
               LIMIT 1 )
      FROM level
      WHERE level.priority IS NOT NULL
    )
    SELECT due.tid
    FROM level
    CROSS JOIN LATERAL (
      SELECT job.ctid AS tid
      FROM ${t.waiting} AS job
      WHERE job.queue_name = want.queue_name AND job.group_key IS NULL
        AND job.priority = level.priority
        AND job.scheduled_for <= now()
        AND job.scheduled_for >= CASE WHEN level.priority = want.floor_priority THEN to_timestamp(want.floor_ms / 1000) ELSE '-infinity' END
      ORDER BY job.scheduled_for, job.id
      LIMIT want.slots
      FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE level.priority IS NOT NULL
    LIMIT want.slots
  ) AS picked
  WHERE EXISTS (SELECT FROM ${t.workers} AS worker WHERE worker.id = ${given.worker} AND worker.lost_at IS NULL)
),
removed AS (
  DELETE FROM ${t.waiting} AS job
  WHERE job.ctid = ANY (ARRAY(SELECT tid FROM claimable))
  RETURNING job.*
)
${moveInto(t.processing, 'removed', {
  status: `'processing'`,
  attempts: 'attempts + 1',
  fence: 'fence + 1',
  locked_by: given.worker,
  started_at: 'clock_timestamp()',
  limited: given.limited,
})}
RETURNING ${claimedColumns}`

/**
 * Claims jobs. The statement lives in a function because a function keeps its plan, behind any pooler too (planning it
 * takes as long as running it for a few jobs), and because it can keep the JIT compiler off: the estimated cost
 * of a claim says nothing about it.
 */
export const claimJobs = (t: Tables): Statement<ClaimParams, ClaimRow> => ({
  name: 'claim jobs',
  text: `
SELECT id, queue_name, payload, numbers, timeout_ms, backoff, metadata
FROM ${t.schema}.claim_jobs($1::uuid, $2::text[], $3::integer[], $4::integer[], $5::float8[], $6::text[])`,
  values: ({ workerId, wanted }) => [
    workerId,
    wanted.map((want) => want.queue),
    wanted.map((want) => want.limit),
    wanted.map((want) => want.floor?.priority ?? LOWEST_PRIORITY),
    wanted.map((want) => (want.floor ? want.floor.scheduledForMs - FLOOR_SLACK_MS : '-Infinity')),
    wanted.map((want) => want.lastGroup ?? null),
  ],
})

const LOWEST_PRIORITY = -32_768
/** Covers what rounding through a float may cost. */
const FLOOR_SLACK_MS = 1
