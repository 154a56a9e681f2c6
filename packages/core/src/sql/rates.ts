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
