import type { Statement, Tables } from './statement.ts'

/** A claim: what a worker must hold to write anything about a job. */
export interface Claim {
  readonly id: string
  readonly fence: number
  readonly workerId: string
}

/**
 * A CTE `held (tid)`: the rows whose claims, given as $1 ids, $2 fences and $3 worker ids, still stand and that nobody else
 * has locked; each locked. What is missing may be lost, or may only be in somebody's hand at this moment: one row that a
 * person has locked must not hold up the outcomes of all others, so nothing is waited for. And a version of a row that was
 * waited for would be invisible to the statement that locks it.
 *
 * Sorted by id by the caller: batches then lock in the same order as everybody else does. One index probe for each
 * claim whatever the statistics say, since LIMIT and FOR UPDATE keep the sub-select from being flattened. The worker tells
 * claims apart that a crash of the server has undone.
 */
export const heldClaims = (t: Tables): string => `held AS MATERIALIZED (
  SELECT job.tid
  FROM unnest($1::uuid[], $2::integer[], $3::uuid[]) AS claim (id, fence, worker_id)
  CROSS JOIN LATERAL (
    SELECT job.ctid AS tid
    FROM ${t.processing} AS job
    WHERE job.id = claim.id AND job.fence = claim.fence AND job.locked_by = coalesce(claim.worker_id, ($3::uuid[])[1])
    LIMIT 1
    FOR UPDATE SKIP LOCKED
  ) AS job
)`

/**
 * The parameters of `heldClaims`, as PostgreSQL writes arrays: none of these values needs quotes, for which a driver would
 * look. Nearly always all claims are of one worker, which is then named once.
 */
export const claimValues = (claims: readonly Claim[]): [string, string, string] => {
  let ids = ''
  let fences = ''
  for (const { id, fence } of claims) {
    ids += `,${id}`
    fences += `,${fence}`
  }
  return [`{${ids.slice(1)}}`, `{${fences.slice(1)}}`, `{${workersOf(claims).join(',')}}`]
}

/** Who made the claims: one for each, or the first alone if it made them all. */
function workersOf(claims: readonly Claim[]): string[] {
  const first = claims[0]?.workerId
  if (first === undefined) return []
  return claims.every(({ workerId }) => workerId === first) ? [first] : claims.map(({ workerId }) => workerId)
}

/**
 * Which of the given claims no longer stand: the job was rescued, cancelled, moved or deleted. If somebody has ended the job under this very claim,
 * which raises its fence by one, it says how and why. What a later claim came to is not for the one before.
 */
export const lostClaims = (
  t: Tables,
): Statement<
  readonly Claim[],
  {
    readonly id: string
    readonly fence: string
    readonly status: string | null
    readonly error: string | null
  }
> => ({
  name: 'find lost claims',
  text: `
SELECT claim.id, claim.fence, ended.status, ended.error
FROM unnest($1::uuid[], $2::integer[], $3::uuid[]) AS claim (id, fence, worker_id)
LEFT JOIN LATERAL (
  SELECT job.status, job.error FROM ${t.dead} AS job
  WHERE job.id = claim.id AND job.fence = claim.fence + 1 LIMIT 1) AS ended ON true
WHERE NOT EXISTS (
  SELECT FROM ${t.processing} AS job
  WHERE job.id = claim.id AND job.fence = claim.fence AND job.locked_by = coalesce(claim.worker_id, ($3::uuid[])[1])
  OFFSET 0)`,
  values: claimValues,
})
