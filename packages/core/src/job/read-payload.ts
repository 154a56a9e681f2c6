import { encodePayload } from './payload.ts'
import { type AnyQueue, assertQueue, type InputOf, type PayloadOf } from './queue.ts'
import { validate } from './schema.ts'

/** What `maxPayloadBytes` is unless it was set. */
const MAX_BYTES = 1_048_576

/**
 * What the handler of a queue reads back when a payload is enqueued: checked and stored as `enqueue` does it, and checked
 * again. For tests that run handlers without a queue.
 * @param maxBytes as `maxPayloadBytes` of `createPgq`
 * @throws PgqError INVALID_QUEUE, INVALID_PAYLOAD, PAYLOAD_TOO_LARGE
 */
export async function readPayload<Q extends AnyQueue>(
  queue: Q,
  payload: InputOf<Q>,
  maxBytes: number = MAX_BYTES,
): Promise<PayloadOf<Q>> {
  assertQueue(queue)
  const { value } = encodePayload(queue.name, payload, maxBytes)
  return (await validate(queue.payload, value, 'INVALID_PAYLOAD', queue.name)) as PayloadOf<Q>
}
