import { createPgq, type Pgq, type PgqOptions } from '@pgq/core'
import { type FreshQueue as FreshQueueOf, freshQueueWith } from '@pgq/test-support'

export type FreshQueue = FreshQueueOf<Pgq>

/** Makes a queue on a fresh schema, which goes with the test, or with the file outside of tests. */
export const freshQueue = (options?: Partial<PgqOptions>): Promise<FreshQueue> =>
  freshQueueWith(createPgq, options)
