/**
 * A job that waits behind another is due five thousand years later than it was meant to be, and so for a claim it is a delayed job like
 * others: no claim looks for it, steps over it, or joins anything. Released, it gets its own time back.
 */
export const AHEAD = `interval '43830000 hours'`
/** Whatever is due later than this waits behind another job. */
export const PARKED = `timestamptz '7000-01-01 00:00:00+00'`
