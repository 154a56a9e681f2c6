/** SQLSTATEs, or their classes, of what passes: connections (08), transactions to run again (40), no room (53), a server that ends (57P0x). */
const PASSES = /^(?:08|40|53)[0-9A-Z]{3}$|^57P0[1235]$/

/** What Node says of a connection that can't be made or breaks. */
const CONNECTION_CODES = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

/** The same as `pg` says it, which gives these no code. */
const SAID_BY_PG =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Client (?:has encountered a connection error|was closed) and is not queryable)/

/** Deeper than anything is wrapped; causes may go round in a circle. */
const MAX_DEPTH = 10

/**
 * Whether an error of a driver, or one that somebody has wrapped (Drizzle: `Failed query: …`), says that the database
 * can't be reached, or that the transaction is to be run again: trying the request again makes sense then.
 */
export function isDatabaseTrouble(error: unknown): boolean {
  let at = error
  for (let depth = 0; depth < MAX_DEPTH && at instanceof Error; depth++) {
    // What `fetch` throws has a broken connection as its cause too, to some other server.
    if (at instanceof TypeError) return false
    if (passes(at)) return true
    at = at.cause
  }
  return false
}

function passes(error: Error): boolean {
  // A host with several addresses fails once for each.
  if (error instanceof AggregateError) return error.errors.some((one) => one instanceof Error && passes(one))
  const code = 'code' in error ? error.code : undefined
  if (typeof code !== 'string') return SAID_BY_PG.test(error.message)
  return PASSES.test(code) || CONNECTION_CODES.has(code)
}
