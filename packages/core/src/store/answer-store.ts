import {
  type AnswerRow,
  deleteExpiredAnswers,
  findAnswer,
  type KeyParams,
  storeAnswer,
} from '../sql/idempotency-keys.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from './database.ts'

/** An answer as it is stored: JSON text, and what its key was used for. */
export interface StoredAnswer {
  readonly fingerprint: string
  readonly text: string
}

/** The answers under idempotency keys. */
export class AnswerStore {
  readonly #statements

  constructor(tables: Tables) {
    this.#statements = {
      find: findAnswer(tables),
      store: storeAnswer(tables),
      deleteExpired: deleteExpiredAnswers(tables),
    }
  }

  /** Takes the key until the transaction ends. Returns its answer, nothing if there is none, or that another transaction has it. */
  async find(session: Session, key: KeyParams): Promise<StoredAnswer | undefined | 'in use'> {
    const [row] = await session.run(this.#statements.find, key)
    if (row?.free !== 'true') return 'in use'
    return storedAnswer(row)
  }

  /** Returns whether it was stored: not if there is one that this transaction could not see. */
  async store(
    session: Session,
    answer: KeyParams & StoredAnswer & { readonly keepMs: number },
  ): Promise<boolean> {
    return (await session.run(this.#statements.store, answer)).length > 0
  }

  /** Deletes at most `limit` answers that have expired. Returns how many. */
  async deleteExpired(session: Session, limit: number): Promise<number> {
    return (await session.run(this.#statements.deleteExpired, { limit })).length
  }
}

function storedAnswer({ fingerprint, answer }: AnswerRow): StoredAnswer | undefined {
  return answer === null ? undefined : { fingerprint: fingerprint ?? '', text: answer }
}
