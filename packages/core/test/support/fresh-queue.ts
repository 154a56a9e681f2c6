import { type FreshQueue as FreshQueueOf, freshQueueWith, unmigratedQueueWith } from '@pgq/test-support'
import { createPgq, type Pgq, type PgqOptions } from '../../src/index.ts'

export type FreshQueue = FreshQueueOf<Pgq>

/** Makes a queue on a fresh schema, which goes with the test, or with the file outside of tests. */
export const freshQueue = (options?: Partial<PgqOptions>): Promise<FreshQueue> =>
  freshQueueWith(createPgq, options)

/** The same without the migration: the schema does not exist yet. */
export const unmigratedQueue = (options?: Partial<PgqOptions>): FreshQueue =>
  unmigratedQueueWith(createPgq, options)
