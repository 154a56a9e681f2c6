import { createHash } from 'node:crypto'

/** What `pgq.once` takes, in characters. */
const MAX_LENGTH = 500
const PREFIX = 'sha256:'

/** Text that names something, as it is; or its hash, if it is too long to be stored. Different texts stay different. */
export function boundedText<T>(text: T): T | string {
  if (typeof text !== 'string') return text
  // What looks like a hash is hashed too, or one could name what somebody else's long text becomes.
  if (text.length <= MAX_LENGTH && !text.startsWith(PREFIX)) return text
  return PREFIX + createHash('sha256').update(text).digest('base64url')
}
