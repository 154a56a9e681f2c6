import type { Statement, Tables } from './statement.ts'

/**
 * Which version of each job there is now: every write makes a new one, with a place and a transaction of its own. A look
 * costs a probe of the id index of each partition and carries no payload, however often it is repeated.
 */
export const jobVersions = (
  t: Tables,
): Statement<{ readonly ids: readonly string[] }, { readonly id: string; readonly version: string }> => ({
  name: 'look for changed jobs',
  text: `
SELECT job.id, concat_ws(' ', job.tableoid::oid, job.ctid, job.xmin) AS version
FROM ${t.jobs} AS job
WHERE job.id = ANY ($1::uuid[])`,
  values: ({ ids }) => [ids],
})
