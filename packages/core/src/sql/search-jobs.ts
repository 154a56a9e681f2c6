import { type FindParams, filterValues, JOB_ROW, type JobRow, MATCHES } from './read-jobs.ts'
import type { Statement, Tables } from './statement.ts'

/** Which rows to look at, and for what. */
export interface SearchParams extends FindParams {
  /** Look at no more rows than this. */
  readonly rows: number
}

/** How far one look has come. */
export interface SearchedRow {
  readonly looked: string
  readonly last_id: string | null
}

/** Where to look: at all jobs, or at those of one queue that ended in one way, `dead` or `cancelled`, which have an index of their own. */
export type SearchedPlace = 'all' | 'ended'

/**
 * The rows to look at: the next ones in the order of the ids, newest first, which every partition has indexed. A search that finds
 * nothing therefore costs no more than $12 rows.
 */
const looked = (t: Tables, place: SearchedPlace): string => `
looked AS MATERIALIZED (
  SELECT job.* FROM ${place === 'all' ? t.jobs : t.dead} AS job
  WHERE ${place === 'all' ? '($3::text[] IS NULL OR job.status = ANY ($3))' : 'job.queue_name = $2 AND job.status = ($3::text[])[1]'}
    AND ($10::uuid IS NULL OR job.id < $10)
  ORDER BY job.id DESC
  LIMIT $12
),
seen AS (SELECT count(*) AS looked, (SELECT looked.id FROM looked OFFSET greatest((SELECT count(*) FROM looked) - 1, 0) LIMIT 1) AS last_id FROM looked)`

const searchValues = (p: SearchParams) => [...filterValues(p), p.rows]

/** A part of a search: the jobs that match among the next rows, and how far it has looked. Without a match, one row of nulls. */
export const searchJobs = (
  t: Tables,
  place: SearchedPlace = 'all',
): Statement<SearchParams, SearchedRow & { readonly [Column in keyof JobRow]: JobRow[Column] | null }> => ({
  name: 'search jobs',
  text: `
WITH ${looked(t, place)}
SELECT seen.looked, seen.last_id, found.*
FROM seen
LEFT JOIN (SELECT ${JOB_ROW} FROM looked AS job WHERE ${MATCHES} LIMIT $11) AS found ON true`,
  values: searchValues,
})

/** The same, and only how many match. */
export const countMatches = (
  t: Tables,
  place: SearchedPlace = 'all',
): Statement<SearchParams, SearchedRow & { readonly matches: string }> => ({
  name: 'count matches',
  text: `
WITH ${looked(t, place)}
SELECT seen.looked, seen.last_id, (SELECT count(*) FROM (SELECT FROM looked AS job WHERE ${MATCHES} LIMIT $11) AS found) AS matches
FROM seen`,
  values: searchValues,
})
