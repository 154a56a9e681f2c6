import { type DriverClient, driverClient } from './driver-client.ts'
import type { DrizzleDatabase } from './drizzle-database.ts'

type Work = Parameters<DrizzleDatabase['transaction']>[0]

/** What Drizzle has its connection, or the pool of them, in. */
interface Session {
  readonly client: unknown
  transaction: DrizzleDatabase['transaction']
}

interface Pool {
  connect(): Promise<Connection>
}

interface Connection extends DriverClient {
  on(event: 'error', listener: () => void): void
  off(event: 'error', listener: () => void): void
  release(destroy: boolean): void
}

/**
 * `db.transaction`, on a connection that surely comes back to its pool. Drizzle before 1.0 keeps the connection for ever
 * when BEGIN fails, so that a few of these end an application, and lends a connection again whose ROLLBACK has failed.
 * So it is taken out of the pool here, Drizzle gets it as the only one there is, and it goes back when it is surely in no
 * transaction; else it is closed. Drivers other than `pg` do so themselves.
 */
export async function runTransaction(db: DrizzleDatabase, work: Work, config: unknown): Promise<unknown> {
  const session = sessionOnPool(db)
  return session ? onOwnConnection(session, work, config) : db.transaction(work, config)
}

async function onOwnConnection(session: Session, work: Work, config: unknown): Promise<unknown> {
  const connection = await (session.client as Pool).connect()
  // The next query tells that it broke; if nobody listened, that alone would end the process.
  connection.on('error', ignore)
  let isBegun = false
  let isIdle = false
  const begun: Work = (tx) => {
    isBegun = true
    return work(tx)
  }
  try {
    const own = Object.create(session, { client: { value: connection } }) as Session
    const answer: unknown = await own.transaction(begun, config)
    isIdle = true
    return answer
  } catch (error) {
    // An old `pg` doesn't tell. A BEGIN that the client gave up on may still come to be.
    isIdle = isBegun && connection.getTransactionStatus?.() === 'I'
    throw error
  } finally {
    connection.off('error', ignore)
    connection.release(!isIdle)
  }
}

/** The session of a `db` on a pool of `pg`, unless the application has put a `transaction` of its own in its place. */
function sessionOnPool(db: DrizzleDatabase): Session | undefined {
  const client = driverClient(db)
  if (!client || !('totalCount' in client && 'connect' in client)) return undefined
  const { $primary = db } = db as { $primary?: object } // that of withReplicas
  if (Object.hasOwn($primary, 'transaction')) return undefined
  return (db as unknown as { _: { session: Session } })._.session
}

function ignore(): void {}
