import type { Statement, Tables } from './statement.ts'

/**
 * Which version of each job there is now: every write makes a new one, with a place and a transaction of its own. A look
 * costs a probe of the id index of each partition, by nested loops whatever the statistics, and carries no payload.
 */
export const jobVersions = (
  t: Tables,
): Statement<{ readonly ids: readonly string[] }, { readonly id: string; readonly version: string }> => ({
  name: 'look for changed jobs',
  text: `
SELECT job.id, job.version
FROM unnest($1::uuid[]) AS watched (id)
CROSS JOIN LATERAL (
  SELECT job.id, concat_ws(' ', job.tableoid::oid, job.ctid, job.xmin) AS version
  FROM ${t.jobs} AS job
  WHERE job.id = watched.id
  LIMIT 1
) AS job`,
  values: ({ ids }) => [ids],
})
