import type { Statement, Tables } from './statement.ts'

/** Whether no live job with an id has the key: two probes by id, of which no statistics can make anything else. */
const isGone = (t: Tables, id: string): string => {
  const hasKey = (table: string): string =>
    `(SELECT (job.queue_name, job.unique_key) = (slice.queue_name, slice.unique_key) FROM ${table} AS job WHERE job.id = slice.${id} LIMIT 1)`
  return `NOT coalesce(${hasKey(t.waiting)}, ${hasKey(t.processing)}, false)`
}

/** The text that both walks share: from the keys of a slice that nobody seems to want, each is looked at again under its lock. */
const tendSlice = (t: Tables, slice: string, isLeft: string, cursor: string, expected: string): string => `
#variable_conflict use_column
DECLARE
  left_queues text[];
  left_keys   text[];
  tended      integer := 0;
BEGIN
  -- One statement, so one snapshot: a job on its way from one table to the other is in exactly one of them.
  WITH slice AS MATERIALIZED (${slice}),
  gone AS MATERIALIZED (SELECT slice.queue_name, slice.unique_key FROM slice WHERE ${isLeft})
  SELECT (SELECT array_agg(gone.queue_name) FROM gone), (SELECT array_agg(gone.unique_key) FROM gone), ${cursor};
  FOR n IN 1..coalesce(cardinality(left_keys), 0) LOOP
    IF ${t.schema}.tend_key(left_queues[n], left_keys[n]) = '${expected}' THEN tended := tended + 1; END IF;
  END LOOP;`

/** The body of `release_unblocked`: the next `most` jobs that wait behind others, by the ids of those; `last` is null after the last one. */
export const releaseUnblockedBody = (t: Tables): string => `${tendSlice(
  t,
  `SELECT known.queue_name, known.unique_key, known.behind_id, row_number() OVER (ORDER BY known.behind_id) AS place
    FROM (SELECT * FROM ${t.uniqueKeys} AS one WHERE one.behind_id > after ORDER BY one.behind_id LIMIT most) AS known`,
  isGone(t, 'behind_id'),
  `(SELECT slice.behind_id FROM slice WHERE slice.place = most) INTO left_queues, left_keys, last`,
  'released',
)}
  freed := tended;
END`

/** The body of `delete_left_keys`: the next `most` keys; `last_queue` is null after the last one. */
export const deleteLeftKeysBody = (t: Tables): string => `${tendSlice(
  t,
  `SELECT known.queue_name, known.unique_key, known.job_id, known.behind_id, known.held_until,
           row_number() OVER (ORDER BY known.queue_name, known.unique_key) AS place
    FROM (SELECT * FROM ${t.uniqueKeys} AS one WHERE (one.queue_name, one.unique_key) > (after_queue, after_key)
          ORDER BY one.queue_name, one.unique_key LIMIT most) AS known`,
  `slice.behind_id IS NULL AND coalesce(slice.held_until <= clock_timestamp(), true) AND ${isGone(t, 'job_id')}`,
  `(SELECT slice.queue_name FROM slice WHERE slice.place = most), (SELECT slice.unique_key FROM slice WHERE slice.place = most)
    INTO left_queues, left_keys, last_queue, last_key`,
  'deleted',
)}
  deleted := tended;
END`

/** Releases jobs that still wait behind one that is gone: see the migration for how that can come about. */
export const releaseUnblocked = (
  t: Tables,
): Statement<
  { readonly after: string; readonly most: number },
  { readonly freed: string; readonly last: string | null }
> => ({
  name: 'release unblocked jobs',
  text: `SELECT freed, last FROM ${t.schema}.release_unblocked($1::uuid, $2::integer)`,
  values: ({ after, most }) => [after, most],
})

/** Deletes keys that jobs have left behind. */
export const deleteLeftKeys = (
  t: Tables,
): Statement<
  { readonly queue: string; readonly key: string; readonly most: number },
  { readonly deleted: string; readonly last_queue: string | null; readonly last_key: string | null }
> => ({
  name: 'delete unique keys that were left behind',
  text: `SELECT deleted, last_queue, last_key FROM ${t.schema}.delete_left_keys($1::text, $2::text, $3::integer)`,
  values: ({ queue, key, most }) => [queue, key, most],
})
