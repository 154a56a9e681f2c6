import { CronExpression } from './cron-expression.ts'

/** When a schedule ticks, in ms since 1970: what is left of the options once they were checked. */
export interface Rule {
  /** Exactly one of the three is given. */
  readonly cron?: string | undefined
  readonly everyMs?: number | undefined
  readonly atMs?: number | undefined
  /** The zone of `cron`. */
  readonly timezone?: string | undefined
  /** No tick before it; intervals count from it. */
  readonly fromMs?: number | undefined
  /** No tick after it. */
  readonly untilMs?: number | undefined
}

/** The first tick of a rule after a moment; undefined when there is no more. */
export type NextTick = (afterMs: number) => number | undefined

/**
 * Makes the function that finds the ticks of a rule. They depend on nothing but the rule: whoever asks gets the same ones.
 * @throws PgqError INVALID_SCHEDULE
 */
export function ticksOf(rule: Rule): NextTick {
  const { fromMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = rule
  const next = endless(rule)
  return (afterMs) => {
    const tick = next(Math.max(afterMs, fromMs - 1))
    return tick !== undefined && tick <= untilMs ? tick : undefined
  }
}

function endless({ cron, timezone, everyMs, atMs, fromMs = 0 }: Rule): NextTick {
  if (cron !== undefined) {
    const expression = new CronExpression(cron, timezone)
    return (afterMs) => expression.next(afterMs)
  }
  // Counted from a fixed moment, so that nothing drifts, whoever counts and whenever it begins.
  if (everyMs !== undefined)
    return (afterMs) => fromMs + (Math.floor((afterMs - fromMs) / everyMs) + 1) * everyMs
  return (afterMs) => (atMs !== undefined && atMs > afterMs ? atMs : undefined)
}
