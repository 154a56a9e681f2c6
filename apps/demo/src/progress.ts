import type { Pgq } from '@pgq/core'
import type { Delivery } from './delivery.ts'

/** How far a run is: webhooks that came in, and what their jobs are doing. */
export interface Progress {
  readonly webhooks: number
  readonly committed: number
  readonly rolledBack: number
  readonly waiting: number
  readonly running: number
  /** Failed, and waiting for another attempt. */
  readonly failed: number
  readonly completed: number
  readonly dead: number
}

/** Counts the jobs. */
export async function readProgress(pgq: Pgq, webhooks: number, delivery: Delivery): Promise<Progress> {
  const { committed, rolledBack } = delivery
  const counts = new Map((await pgq.counts()).map(({ status, jobs }) => [status, jobs]))
  return {
    webhooks,
    committed,
    rolledBack,
    waiting: counts.get('pending') ?? 0,
    running: counts.get('processing') ?? 0,
    failed: counts.get('failed') ?? 0,
    completed: counts.get('completed') ?? 0,
    dead: counts.get('dead') ?? 0,
  }
}

/** How many jobs have come to their end. */
export function finished({ completed, dead }: Progress): number {
  return completed + dead
}
