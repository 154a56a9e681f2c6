import type { Statement, Tables } from './statement.ts'

/**
 * Elects the worker or renews its term. The row is a lease like a worker's: whoever finds it expired takes it over. Two
 * leaders for a moment do no harm, since every task that a leader runs is safe to run twice; so no lock is held, and it
 * works behind a transaction pooler.
 */
export const electLeader = (
  t: Tables,
): Statement<{ readonly workerId: string; readonly termMs: number }, { readonly worker_id: string }> => ({
  name: 'elect leader',
  text: `
INSERT INTO ${t.leader} AS leader (worker_id, lease_until)
SELECT $1::uuid, clock_timestamp() + $2::float8 * interval '1 ms'
-- Most candidates end here: no row is locked or written while somebody else leads.
WHERE NOT EXISTS (SELECT FROM ${t.leader} AS other WHERE other.worker_id <> $1 AND other.lease_until > clock_timestamp())
ON CONFLICT (only_row) DO UPDATE
SET worker_id = excluded.worker_id,
    lease_until = excluded.lease_until,
    elected_at = CASE WHEN leader.worker_id = excluded.worker_id THEN leader.elected_at ELSE clock_timestamp() END
WHERE leader.worker_id = excluded.worker_id OR leader.lease_until <= clock_timestamp()
RETURNING worker_id`,
  values: ({ workerId, termMs }) => [workerId, termMs],
})

/** Gives the lead back, so that the next worker need not wait for the term to end. */
export const resignLeader = (t: Tables): Statement<{ readonly workerId: string }, never> => ({
  name: 'resign as leader',
  text: `DELETE FROM ${t.leader} WHERE worker_id = $1`,
  values: ({ workerId }) => [workerId],
})
