import type { Outcome } from './run.ts'

/** The one line of `--json`. */
export function summary(outcome: Outcome, seconds: number): string {
  const { webhooks, enqueued, rolledBack, completed, dead, retried, rescued, lost, duplicated } = outcome
  return JSON.stringify({
    webhooks,
    enqueued,
    rolledBack,
    completed,
    dead,
    retried,
    rescued,
    lost,
    duplicated,
    seconds: Math.round(seconds * 10) / 10,
  })
}
