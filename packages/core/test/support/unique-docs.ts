import { expect } from 'vitest'
import { defineQueue, type Queue, type UniqueOptions, type } from '../../src/index.ts'
import type { FreshQueue } from './fresh-queue.ts'
import { type StillWorker, stillWorker } from './held-jobs.ts'

/** The payload of the queue. */
export interface Doc {
  readonly doc: number
  readonly text?: string
  readonly at?: { readonly x: number }
}

/** A queue with unique jobs. */
export const docs = (unique: UniqueOptions<Doc>): Queue<Doc> =>
  defineQueue('docs', { payload: type<Doc>(), unique })

const error = { name: 'Error', message: 'no' }

/** A worker that has claimed the one job that is due, and what it can make of it. */
export async function running(fresh: FreshQueue): Promise<{
  id: string
  payload: unknown
  complete: () => Promise<unknown>
  fail: () => Promise<unknown>
  die: () => Promise<unknown>
}> {
  const worker: StillWorker = await stillWorker(fresh)
  const [job, ...others] = await worker.claim('docs')
  expect(others).toEqual([])
  const claim = worker.held(job)
  const { store, database } = worker
  return {
    id: claim.id,
    payload: job?.payload,
    complete: () => store.settleCompleted(database, [{ ...claim, result: { json: null } }]),
    fail: () => store.settleWaiting(database, [{ ...claim, status: 'failed', delayMs: 0, error }]),
    die: () => store.settleEnded(database, [{ ...claim, status: 'dead', error }]),
  }
}

/** The ids of the jobs that a claim could take. */
export const claimable = async (fresh: FreshQueue): Promise<string[]> =>
  (
    await fresh.sql(
      `SELECT id FROM ${fresh.schema}.jobs_waiting WHERE scheduled_for <= clock_timestamp() ORDER BY id`,
    )
  ).map((row) => row.id)

/** The rows of unique keys. */
export const keys = (fresh: FreshQueue): Promise<{ unique_key: string }[]> =>
  fresh.sql(`SELECT * FROM ${fresh.schema}.unique_keys ORDER BY unique_key`)
