import { randomInt } from 'node:crypto'

/** What is drawn in this run: another thing each time, or what `PGQ_FUZZ_SEED` names. CI names its commit, so that a failure comes again. */
export const SEED = Number(process.env['PGQ_FUZZ_SEED'] ?? randomInt(2 ** 31))
