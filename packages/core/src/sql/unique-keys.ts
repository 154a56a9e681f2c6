import { deleteSome } from './delete-some.ts'
import type { Statement, Tables } from './statement.ts'

/** Deletes keys whose period is over and whose job has ended, a bounded number at a time. */
export const deleteExpiredKeys = (
  t: Tables,
): Statement<{ readonly limit: number }, { readonly job_id: string }> => ({
  name: 'delete expired unique keys',
  text: `${deleteSome(
    t.uniqueKeys,
    `past.held_until <= clock_timestamp()
    AND ${t.schema}.live_status(past.job_id, past.queue_name, past.unique_key) IS NULL
    AND ${t.schema}.live_status(past.behind_id, past.queue_name, past.unique_key) IS NULL`,
  )}
RETURNING job_id`,
  values: ({ limit }) => [limit],
})
