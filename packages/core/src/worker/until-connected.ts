import { isPgqError } from '../errors.ts'

/** How often a worker that starts asks for a connection before it gives up. */
const TRIES = 3

/**
 * Does something at the start that may safely be done twice, on a connection that is yet to be opened. A server under load may take
 * longer to open one than a heartbeat may wait for it, and that is no reason not to start. A server that refuses is one.
 */
export async function untilConnected<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act()
    } catch (error) {
      if (tries === TRIES || !wasTooSlow(error)) throw error
    }
  }
}

/** No answer in time, in contrast to a server that has refused. */
function wasTooSlow(error: unknown): boolean {
  return isPgqError(error, 'DATABASE_UNAVAILABLE') && error.sqlState === undefined
}
