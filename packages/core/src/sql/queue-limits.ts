import type { Statement, Tables } from './statement.ts'

/** The limits of a queue as columns of `pgq.queues`; null for none. */
export interface LimitColumns {
  readonly concurrency_limit: number | null
  readonly rate_limit: number | null
  readonly rate_period_ms: number | null
  readonly rate_burst: number | null
  readonly group_concurrency_limit: number | null
  readonly group_rate_limit: number | null
  readonly group_rate_period_ms: number | null
  readonly group_rate_burst: number | null
}

/** The columns that hold limits, in the order of the parameters from $3 on. */
const LIMIT_COLUMNS: readonly (keyof LimitColumns)[] = [
  'concurrency_limit',
  'rate_limit',
  'rate_period_ms',
  'rate_burst',
  'group_concurrency_limit',
  'group_rate_limit',
  'group_rate_period_ms',
  'group_rate_burst',
]

const TYPES = 'integer integer float8 integer integer integer float8 integer'.split(' ')
const VALUES = TYPES.map((type, index) => `$${index + 3}::${type}`).join(', ')
const REPLACED = LIMIT_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')

/** What to write: the limits, and as what they count that code has declared; null for limits set at run time. */
export interface SetLimitsParams {
  readonly queue: string
  readonly declared: string | null
  readonly columns: LimitColumns
}

/** Writes the limits that a definition declares, unless the same were declared before: what was set at run time since then stays. */
export const declareLimits = (t: Tables): Statement<SetLimitsParams, { readonly name: string }> => ({
  name: 'declare the limits of a queue',
  text: `
INSERT INTO ${t.queues} AS queue (name, declared_limits, ${LIMIT_COLUMNS.join(', ')})
VALUES ($1::text, $2::text::jsonb, ${VALUES})
ON CONFLICT (name) DO UPDATE SET declared_limits = excluded.declared_limits, ${REPLACED}
WHERE queue.declared_limits IS DISTINCT FROM excluded.declared_limits
RETURNING name`,
  values: limitValues,
})

/** Writes limits at run time. */
export const setLimits = (t: Tables): Statement<SetLimitsParams, { readonly name: string }> => ({
  name: 'set the limits of a queue',
  text: `
INSERT INTO ${t.queues} AS queue (name, declared_limits, ${LIMIT_COLUMNS.join(', ')})
VALUES ($1::text, $2::text::jsonb, ${VALUES})
ON CONFLICT (name) DO UPDATE SET ${REPLACED}
RETURNING name`,
  values: limitValues,
})

/**
 * Makes what runs count against the limits of its queue, where that was claimed before there were any. What somebody has locked at
 * this moment is passed over, and counted in the answer. The look at it has a snapshot of its own, so it comes first: what ends meanwhile is
 * counted once too often, and the next look finds it gone.
 */
export const countRunning = (
  t: Tables,
): Statement<{ readonly queue: string }, { readonly left: string }> => ({
  name: 'count running jobs',
  text: `
SELECT uncounted.jobs - (SELECT count(*) FROM ${t.schema}.count_running($1::text)) AS left
FROM (SELECT count(*) AS jobs FROM ${t.processing} AS job WHERE job.queue_name = $1::text AND NOT job.limited) AS uncounted`,
  values: ({ queue }) => [queue],
})

/** Holds a queue or one of its groups back: nothing of it is claimed for a while. */
export const holdBack = (
  t: Tables,
): Statement<{ readonly queue: string; readonly group: string | null; readonly forMs: number }, never> => ({
  name: 'hold a queue or group back',
  text: `SELECT FROM ${t.schema}.hold_back($1::text, $2::float8 * interval '1 ms', $3::text)`,
  values: ({ queue, group, forMs }) => [queue, forMs, group],
  patienceMs: 2_000,
})

/** Forgets what rates were: nothing is saved up or owed, and nothing held back, any more. */
export const forgetRates = (t: Tables): Statement<{ readonly limit: number }, { readonly name: string }> => ({
  name: 'forget rates',
  text: `
DELETE FROM ${t.rates} AS rate
WHERE rate.ctid = ANY (ARRAY(
  SELECT known.ctid
  FROM ${t.rates} AS known
  LEFT JOIN ${t.queues} AS queue ON queue.name = known.queue_name
  -- All that can be saved up is saved up a period after the next job may begin, or sooner.
  WHERE coalesce(known.blocked_until < clock_timestamp(), true)
    AND coalesce(known.available_at + greatest(queue.rate_period_ms * greatest(1, queue.rate_burst::float8 / queue.rate_limit),
          queue.group_rate_period_ms * greatest(1, queue.group_rate_burst::float8 / queue.group_rate_limit), 0) * interval '1 ms' < clock_timestamp(), true)
  LIMIT $1
  FOR UPDATE OF known SKIP LOCKED))
RETURNING rate.queue_name AS name`,
  values: ({ limit }) => [limit],
})

function limitValues({ queue, declared, columns }: SetLimitsParams): (string | number | null)[] {
  return [queue, declared, ...LIMIT_COLUMNS.map((column) => columns[column])]
}
