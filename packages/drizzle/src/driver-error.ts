/**
 * What the driver said, from under Drizzle's "Failed query: …", which hides it and quotes every value of the query. Any
 * other error is returned as it is.
 */
export function driverError(error: unknown): unknown {
  return error instanceof Error && 'query' in error && error.cause instanceof Error ? error.cause : error
}

/**
 * `driverError` with the frames of Drizzle's: the driver's own begin where it heard from the server, and don't lead to the
 * line that sent the query.
 */
export function driverErrorWithFrames(error: unknown): unknown {
  const said = driverError(error)
  if (said === error || !(said instanceof Error) || !(error instanceof Error)) return said
  const { message, stack = '' } = error
  // The message has the values in it, on any number of lines: what is behind it are the frames.
  const at = stack.indexOf(message)
  if (at >= 0) said.stack = `${said.stack ?? said.message}${stack.slice(at + message.length)}`
  return said
}

/** PostgreSQL's code of an error, if it came from the server: Drizzle's errors have it in their cause. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let depth = 0, at = error; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    const code: unknown = 'sqlState' in at ? at.sqlState : 'code' in at ? at.code : undefined
    // Node's own codes begin with E, which none of PostgreSQL's does.
    if (typeof code === 'string' && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code)) return code
    at = 'cause' in at ? at.cause : undefined
  }
  return undefined
}

/** Whether it was the connection, or a server that is going down or full, and not the statement. */
export function isUnavailable(error: unknown): boolean {
  const sqlState = sqlStateOf(error)
  if (sqlState !== undefined) return /^(?:08|53|57P)/.test(sqlState)
  const said = driverError(error)
  if (!(said instanceof Error)) return false
  const code = 'code' in said ? String(said.code) : ''
  return /^(?:E[A-Z_]+$|CONN)/.test(code) || /connect|terminated|timeout|not queryable/i.test(said.message)
}
