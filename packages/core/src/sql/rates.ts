import type { Tables } from './statement.ts'

/** What a rate may save up when its burst is not given: as many jobs as it lets go in this time, in ms, and one at least. */
export const SAVED_UP_MS = 50

/**
 * When a job may begin under a rate, as the generic cell rate algorithm has it (ITU-T I.371, Annex A, the virtual scheduling form;
 * a token bucket with one number for state). `available` is when the next job of cost 1 may begin. With T = period / limit, what
 * was saved up is worth `burst` jobs at the most; a job that costs more than that waits until all is saved, and is paid off after.
 */
export const beginsAt = (available: string, before: string, burst: string, step: string): string =>
  `${available} + (${before} + least(cost, ${burst}) - 1) * ${step} * interval '1 ms'`

/** From when on such a rate counts: what was saved up before is lost. */
export const savedUp = (available: string, burst: string, step: string): string =>
  `greatest(${available}, instant - (${burst} - 1) * ${step} * interval '1 ms')`

/** What a job of cost 1 takes of a rate, in ms, and the most that is saved up, from the columns of `pgq.queues` with a prefix; null where there is no rate. */
export const stepOf = (queue: string, prefix: RatePrefix): string =>
  `(${queue}.${prefix}period_ms / ${queue}.${prefix}limit)`

export const burstOf = (queue: string, prefix: RatePrefix): string =>
  `coalesce(${queue}.${prefix}burst, greatest(1, ceil(${SAVED_UP_MS} / ${stepOf(queue, prefix)})))`

/** The columns of a queue that hold its own rate, or that of its groups. */
export type RatePrefix = 'rate_' | 'group_rate_'

/**
 * Carries what has begun under an old rate over to a new one, in a trigger on the queues. It is counted in jobs: so much of the burst is
 * used, or owed beyond it, and from now on time pays for that by the new rate. Nothing is forgiven, since a rate is often the quota
 * of somebody else: who changes it twice an hour would get a burst each time. And a smaller burst holds nothing against the jobs
 * that were within the one before it: then all of the new one is used, and no more. Where there was no rate, or
 * is none any more, nothing is known of what has begun, so nothing is owed.
 */
export const rescaleRates = (t: Tables, prefix: RatePrefix, whose: string): string => {
  const [before, after] = [burstOf('OLD', prefix), burstOf('NEW', prefix)]
  const used = `greatest(0, date_part('epoch', rate.available_at - instant) * 1000 / ${stepOf('OLD', prefix)} + ${before} - 1)`
  return `
  UPDATE ${t.rates} AS rate
  SET available_at = CASE WHEN TG_OP = 'UPDATE' AND OLD.${prefix}limit IS NOT NULL AND NEW.${prefix}limit IS NOT NULL THEN
    instant + (least(${used}, ${after} + greatest(0, ${used} - ${before})) - ${after} + 1) * ${stepOf('NEW', prefix)} * interval '1 ms' END
  WHERE rate.queue_name = NEW.name AND ${whose} AND rate.available_at IS NOT NULL
    AND (TG_OP = 'INSERT' OR (OLD.${prefix}limit, OLD.${prefix}period_ms, OLD.${prefix}burst) IS DISTINCT FROM (NEW.${prefix}limit, NEW.${prefix}period_ms, NEW.${prefix}burst))`
}
