import type { Tables } from './statement.ts'

/**
 * Which of the queues in `queues` must be claimed from with care: they are paused, held back or limited, or have jobs with
 * groups. Scalar sub-selects, because an EXISTS beside an OR may be planned as a hash of the whole table.
 */
export const carefulQueues = (t: Tables): string => `
SELECT DISTINCT want.queue_name
FROM unnest(queues) AS want (queue_name)
WHERE coalesce(
  (SELECT true FROM ${t.queues} AS queue
   WHERE queue.name = want.queue_name
     AND num_nonnulls(queue.paused_at, queue.concurrency_limit, queue.rate_limit, queue.group_concurrency_limit, queue.group_rate_limit) > 0
   LIMIT 1),
  (SELECT true FROM ${t.waiting} AS job
   WHERE job.queue_name = want.queue_name AND job.group_key IS NOT NULL
   LIMIT 1),
  (SELECT true FROM ${t.rates} AS rate
   WHERE rate.queue_name = want.queue_name AND rate.group_key = '' AND rate.blocked_until > clock_timestamp()
   LIMIT 1),
  false)
ORDER BY want.queue_name`
