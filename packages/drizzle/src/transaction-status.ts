import { driverClient } from './driver-client.ts'

/** The checkout from its pool that a transaction was seen on first. */
const checkouts = new WeakMap<object, unknown>()

/**
 * Makes the function that says how a transaction stands, as `pg` says it: `I` when it has ended, `T` or `E` while it is
 * open, null when the driver does not tell.
 */
export function transactionStatus(tx: object): () => string | null {
  const client = driverClient(tx)
  if (typeof client?.getTransactionStatus === 'function') {
    // Once the transaction has ended, its connection may be in somebody else's already.
    if (!checkouts.has(tx)) checkouts.set(tx, client.release)
    return () => (client.release === checkouts.get(tx) ? (client.getTransactionStatus?.() ?? null) : 'I')
  }
  if (typeof client?.closed === 'boolean') return () => (client.closed ? 'I' : 'T')
  return () => null
}
