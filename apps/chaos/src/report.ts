import type { ChaosArguments } from './arguments.ts'
import type { RunResult } from './run.ts'

/** The object that `--json` prints. */
export interface RunReport extends Pick<RunResult, 'faults' | 'jobs' | 'recoveryMs'> {
  readonly seed: number
  readonly seconds: number
  readonly violations: RunResult['verdict']['violations']
}

/** Puts the report of a run together. */
export function reportOf(
  { seed, seconds }: ChaosArguments,
  { faults, jobs, verdict, recoveryMs }: RunResult,
): RunReport {
  return { seed, seconds, faults, jobs, violations: verdict.violations, recoveryMs }
}

/** Renders a report for people. */
export function reportText({ seed, seconds, faults, jobs, violations, recoveryMs }: RunReport): string {
  const broken = Object.entries(violations).filter(([, count]) => count > 0)
  return `${[
    `seed ${seed}, ${seconds} s`,
    `faults      ${pairs(faults)}`,
    `jobs        ${pairs(jobs)}`,
    `recovery    p50 ${recoveryMs.p50 ?? '-'} ms, p99 ${recoveryMs.p99 ?? '-'} ms from the kill of a worker to the next claim`,
    broken.length === 0
      ? `violations  none of ${Object.keys(violations).length} invariants`
      : `VIOLATIONS  ${pairs(Object.fromEntries(broken))}`,
  ].join('\n')}\n`
}

const pairs = (counts: object): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
