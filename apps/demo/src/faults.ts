import type { Outcome } from './run.ts'

/** How many of the webhooks in the file are malformed. */
const MALFORMED = 4

/** Lists what a run has shown to be broken; each of these is a bug of the queue or of the demo. */
export function findFaults(outcome: Outcome): string[] {
  const { committed, enqueued, completed, dead, lost, duplicated } = outcome
  return [
    lost > 0 && `${lost} committed webhooks have neither a posting nor a dead job`,
    duplicated > 0 && `${duplicated} postings were made twice`,
    dead !== MALFORMED && `${dead} jobs are dead, and ${MALFORMED} webhooks are malformed`,
    enqueued !== committed && `there are ${enqueued} jobs for ${committed} committed webhooks`,
    completed + dead !== enqueued && `${enqueued - completed - dead} jobs did not come to an end`,
  ].filter((fault) => fault !== false)
}
