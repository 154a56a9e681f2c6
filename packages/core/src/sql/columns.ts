/** Every column of `pgq.jobs`, in order: a row that moves from one partition to another takes them all along. */
const JOB_COLUMNS = [
  'id',
  'scheduled_for',
  'created_at',
  'attempts',
  'max_attempts',
  'fence',
  'crashes',
  'priority',
  'limited',
  'status',
  'queue_name',
  'payload',
  'started_at',
  'completed_at',
  'locked_by',
  'timeout_ms',
  'unique_key',
  'group_key',
  'cost',
  'error',
  'errors',
  'result',
  'progress',
  'backoff',
  'metadata',
] as const

/** The name of a column of `pgq.jobs`. */
export type JobColumn = (typeof JOB_COLUMNS)[number]

/** `INSERT INTO target (…) SELECT … FROM source`, with some columns replaced by an expression over the source's. */
export function moveInto(
  target: string,
  source: string,
  replaced: { readonly [Column in JobColumn]?: string },
): string {
  const values = JOB_COLUMNS.map((column) => replaced[column] ?? column)
  return `INSERT INTO ${target} (${JOB_COLUMNS.join(', ')})
    SELECT ${values.join(', ')}
    FROM ${source}`
}

/** Milliseconds since 1970, as float8: exact to the microsecond, and free of DateStyle and TimeZone. */
export const epochMs = (column: string): string => `date_part('epoch', ${column}) * 1000`

/** The list of attempt errors with one more record at its end; the newest 100 are kept, so that no row grows for ever. */
export const appendError = (record: string): string =>
  `CASE WHEN jsonb_typeof(errors) IS DISTINCT FROM 'array' THEN '[]'
             WHEN jsonb_array_length(errors) >= 100 THEN errors - 0
             ELSE errors END
        || jsonb_build_array(jsonb_build_object('attempt', attempts, 'at', clock_timestamp()) || ${record})`
