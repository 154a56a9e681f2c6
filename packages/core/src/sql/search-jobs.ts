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

/**
 * The rows to look at: the next ones in the order of the ids, newest first, which every partition has indexed. A search that finds
 * nothing therefore costs no more than $12 rows. The dead jobs of one queue have an index of their own.
 */
const looked = (t: Tables): string => `
looked AS MATERIALIZED (
  SELECT job.* FROM ${t.jobs} AS job
  WHERE ($3::text[] IS NULL OR job.status = ANY ($3))
    AND ($10::uuid IS NULL OR job.id < $10)
  ORDER BY job.id DESC
  LIMIT $12
),
seen AS (SELECT count(*) AS looked, (SELECT looked.id FROM looked OFFSET greatest((SELECT count(*) FROM looked) - 1, 0) LIMIT 1) AS last_id FROM looked)`

const searchValues = (p: SearchParams) => [...filterValues(p), p.rows]

/** A part of a search: the jobs that match among the next rows, and how far it has looked. Without a match, one row of nulls. */
export const searchJobs = (
  t: Tables,
): Statement<SearchParams, SearchedRow & { readonly [Column in keyof JobRow]: JobRow[Column] | null }> => ({
  name: 'search jobs',
  text: `
WITH ${looked(t)}
SELECT seen.looked, seen.last_id, found.*
FROM seen
LEFT JOIN (SELECT ${JOB_ROW} FROM looked AS job WHERE ${MATCHES} LIMIT $11) AS found ON true`,
  values: searchValues,
})

/** The same, and only how many match. */
export const countMatches = (
  t: Tables,
): Statement<SearchParams, SearchedRow & { readonly matches: string }> => ({
  name: 'count matches',
  text: `
WITH ${looked(t)}
SELECT seen.looked, seen.last_id, (SELECT count(*) FROM (SELECT FROM looked AS job WHERE ${MATCHES} LIMIT $11) AS found) AS matches
FROM seen`,
  values: searchValues,
})
