import { claimsLock, type Statement, type Tables } from './statement.ts'

/** Pauses a queue; whether it was not paused before. */
export const pauseQueue = (
  t: Tables,
): Statement<{ readonly queue: string; readonly reason: string | null }, { readonly changed: string }> => ({
  name: 'pause a queue',
  text: `SELECT ${t.schema}.pause($1::text, $2::text)::text AS changed`,
  values: ({ queue, reason }) => [queue, reason],
})

/** Resumes a queue; whether it was paused. */
export const resumeQueue = (
  t: Tables,
): Statement<{ readonly queue: string }, { readonly changed: string }> => ({
  name: 'resume a queue',
  text: `SELECT ${t.schema}.resume($1::text)::text AS changed`,
  values: ({ queue }) => [queue],
})

/** A queue, and one of its groups or '' for none. */
export interface QueueGroup {
  readonly queue: string
  readonly group: string
}

/** Of these queues and groups those that nothing may start of at this moment: paused, or held back. */
export const findHeld = (t: Tables): Statement<readonly QueueGroup[], QueueGroup> => ({
  name: 'find what is held',
  text: `
SELECT held.queue, held.key AS "group"
FROM unnest($1::text[], $2::text[]) AS held (queue, key)
WHERE (SELECT queue.paused_at FROM ${t.queues} AS queue WHERE queue.name = held.queue) IS NOT NULL
   OR (SELECT max(rate.blocked_until) FROM ${t.rates} AS rate
       WHERE rate.queue_name = held.queue AND rate.group_key IN ('', held.key)) > clock_timestamp()`,
  values: (held) => [held.map(({ queue }) => queue), held.map(({ group }) => group)],
})

/**
 * The transactions that are claiming at this moment. They may have looked before what was committed just now; once they have
 * ended, every claim has seen it. Nothing waits for a lock: a claim that hangs must not hold up all others.
 */
export const claimsUnderWay = (t: Tables): Statement<void, { readonly claim: string }> => ({
  name: 'look for claims under way',
  text: `
SELECT lock.virtualtransaction AS claim
FROM pg_locks AS lock
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
  AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (lock.classid::bigint << 32 | lock.objid::bigint) = ${claimsLock(t)}`,
  values: () => [],
})
