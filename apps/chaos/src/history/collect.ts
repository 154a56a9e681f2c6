import type pg from 'pg'
import { readAudit } from './audit.ts'
import { readClientLogs } from './client-log.ts'
import type { Effect, History, Terms } from './records.ts'

/** What only the harness knows of the end of a run. */
export interface Circumstances {
  readonly bystanderUnchanged: boolean
  readonly tickedUntil: number | null
  readonly deadlocks: number
  readonly connections: Readonly<Record<string, number>>
}

/** Puts a history together from the logs of the clients and from the database. */
export async function collectHistory(
  client: pg.Client,
  logs: string,
  circumstances: Circumstances,
  terms: Terms,
): Promise<History> {
  const audit = await readAudit(client)
  const rows = await client.query<{ id: string; status: string; fence: number }>(
    'SELECT id, status, fence FROM pgq.jobs',
  )
  const effects = await client.query<Effect>('SELECT job, fence FROM chaos.effects ORDER BY job, fence')
  const orders = await client.query<{ ticket: string }>('SELECT ticket FROM chaos.orders')
  return {
    clients: readClientLogs(logs),
    ...audit,
    end: {
      jobs: rows.rows,
      effects: effects.rows,
      orders: orders.rows.map(({ ticket }) => ticket),
      ...circumstances,
    },
    terms,
  }
}
