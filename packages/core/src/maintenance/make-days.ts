import type { Events } from '../events.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'
import { HistoryStore } from '../store/history-store.ts'

/**
 * Makes the partitions of the days to come. Without its partition a day falls into the default one, so this may fail: for a role
 * that may not, behind a long lock.
 */
export async function makeDays(deps: {
  readonly database: Database
  readonly tables: Tables
  readonly events: Events
}): Promise<void> {
  try {
    await new HistoryStore(deps.tables).makeDays(deps.database)
  } catch (error) {
    deps.events.emit('error', { where: 'making the partitions of the days to come', error })
  }
}
