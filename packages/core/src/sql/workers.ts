import type { Statement, Tables } from './statement.ts'

export interface WorkerParams {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly pid: number
  readonly queues: readonly string[]
  readonly concurrency: number
  readonly leaseMs: number
}

/** Announces a worker, before it claims anything. */
export const registerWorker = (t: Tables): Statement<WorkerParams, never> => ({
  name: 'register worker',
  text: `
INSERT INTO ${t.workers} (id, name, hostname, pid, queues, concurrency, lease_until)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7::float8 * interval '1 ms')
ON CONFLICT (id) DO NOTHING`,
  values: (p) => [p.id, p.name, p.hostname, p.pid, p.queues, p.concurrency, p.leaseMs],
})

/**
 * Renews the lease of a worker. It may come late: until somebody has declared the worker lost, nothing has happened to
 * its jobs, so an outage of the database that outlasts every lease re-runs nothing. No row means: lost, start anew.
 */
export const renewLease = (
  t: Tables,
): Statement<
  { readonly id: string; readonly leaseMs: number; readonly listening: boolean },
  { readonly id: string }
> => ({
  name: 'renew lease',
  text: `
UPDATE ${t.workers}
SET heartbeat_at = clock_timestamp(),
    lease_until = clock_timestamp() + $2::float8 * interval '1 ms',
    suspect_since = NULL,
    listening = $3
WHERE id = $1 AND lost_at IS NULL
RETURNING id`,
  values: ({ id, leaseMs, listening }) => [id, leaseMs, listening],
})

/** Renews the lease of a worker and says nothing else of it: whose event loop is blocked, listens no less than before. */
export const extendLease = (
  t: Tables,
): Statement<{ readonly id: string; readonly leaseMs: number }, { readonly id: string }> => ({
  name: 'extend lease',
  text: `
UPDATE ${t.workers}
SET heartbeat_at = clock_timestamp(),
    lease_until = clock_timestamp() + $2::float8 * interval '1 ms',
    suspect_since = NULL
WHERE id = $1::uuid AND lost_at IS NULL
RETURNING id`,
  values: ({ id, leaseMs }) => [id, leaseMs],
})

/** Takes the row of a stopped worker away, unless jobs are still in its name: then its lease runs out and they are rescued. */
export const removeWorker = (t: Tables): Statement<{ readonly id: string }, { readonly id: string }> => ({
  name: 'remove worker',
  text: `
DELETE FROM ${t.workers} AS worker
WHERE worker.id = $1
  AND NOT EXISTS (SELECT FROM ${t.processing} AS job WHERE job.locked_by = worker.id)
RETURNING worker.id`,
  values: ({ id }) => [id],
})

/** Marks the workers whose lease has run out. It takes a second look, some time later, before one is declared lost. */
export const suspectWorkers = (t: Tables): Statement<void, { readonly id: string }> => ({
  name: 'suspect workers',
  text: `
UPDATE ${t.workers}
SET suspect_since = clock_timestamp()
WHERE lease_until < clock_timestamp() AND suspect_since IS NULL AND lost_at IS NULL
RETURNING id`,
  values: () => [],
})

/** Declares workers lost that were suspected long enough and still have not renewed: from here on their claims are void. */
export const loseWorkers = (
  t: Tables,
): Statement<{ readonly suspicionMs: number }, { readonly id: string; readonly name: string }> => ({
  name: 'lose workers',
  text: `
UPDATE ${t.workers}
SET lost_at = clock_timestamp(), listening = false
WHERE lost_at IS NULL
  AND lease_until < clock_timestamp()
  AND suspect_since < clock_timestamp() - $1::float8 * interval '1 ms'
RETURNING id, name`,
  values: ({ suspicionMs }) => [suspicionMs],
})

/** Forgets lost workers after a while, once no job is in their name. */
export const forgetWorkers = (
  t: Tables,
): Statement<{ readonly afterMs: number }, { readonly id: string }> => ({
  name: 'forget lost workers',
  text: `
DELETE FROM ${t.workers} AS worker
WHERE worker.lost_at < clock_timestamp() - $1::float8 * interval '1 ms'
  AND NOT EXISTS (SELECT FROM ${t.processing} AS job WHERE job.locked_by = worker.id)
RETURNING worker.id`,
  values: ({ afterMs }) => [afterMs],
})
