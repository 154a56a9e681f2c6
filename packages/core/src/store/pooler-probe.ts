import type pg from 'pg'
import { BACKEND_PID } from '../sql/diagnose-server.ts'
import { databaseError } from './database-error.ts'

/** So often the two ask: a busy pooler may give each of them another connection by chance. */
const ROUNDS = 5

/**
 * Whether a pooler between here and the server shares its connections: two clients that are both connected are then answered
 * by the same process, which a server by itself never does. On a busy pooler it may stay unseen.
 * @throws PgqError DATABASE_UNAVAILABLE
 */
export async function isBehindSharingPooler(open: () => pg.Client, schema: string): Promise<boolean> {
  const clients = [open(), open()]
  try {
    for (const client of clients) {
      client.on('error', () => {}) // the query that it breaks says so
      await client.connect()
    }
    for (let round = 0; round < ROUNDS; round++) {
      const pids = new Set<string>()
      for (const client of clients)
        pids.add((await client.query<{ pid: string }>(BACKEND_PID)).rows[0]?.pid ?? '')
      if (pids.size < clients.length) return true
    }
    return false
  } catch (error) {
    throw databaseError(error, 'ask which process answers', schema)
  } finally {
    await Promise.allSettled(clients.map((client) => client.end()))
  }
}
