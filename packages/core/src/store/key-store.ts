import type { Tables } from '../sql/statement.ts'
import { deleteLeftKeys, releaseUnblocked } from '../sql/tend-keys.ts'
import type { Session } from './database.ts'

/** The id before all others. */
const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/** Where a walk over the keys is. */
export interface KeyPlace {
  readonly queue: string
  readonly key: string
}

/** The statements that look after unique keys. */
export class KeyStore {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = { release: releaseUnblocked(tables), deleteLeft: deleteLeftKeys(tables) }
  }

  /**
   * Looks at the next `most` jobs that wait behind others, and releases those that wait behind one that is gone.
   * Returns how many, and where to go on: undefined after the last one.
   */
  async releaseUnblocked(
    session: Session,
    most: number,
    after: string = FIRST_ID,
  ): Promise<{ freed: number; last: string | undefined }> {
    const [row] = await session.run(this.#statements.release, { after, most })
    return { freed: Number(row?.freed), last: row?.last ?? undefined }
  }

  /** Looks at the next `most` keys, and deletes those that jobs have left behind. Returns how many, and where to go on, as above. */
  async deleteLeft(
    session: Session,
    most: number,
    after: KeyPlace = { queue: '', key: '' },
  ): Promise<{ deleted: number; last: KeyPlace | undefined }> {
    const [row] = await session.run(this.#statements.deleteLeft, { ...after, most })
    const [queue, key] = [row?.last_queue ?? null, row?.last_key ?? null]
    const last = queue === null || key === null ? undefined : { queue, key }
    return { deleted: Number(row?.deleted), last }
  }
}
