import { type Schedule, scheduleText } from '../job/schedule.ts'
import type { Tables } from '../sql/statement.ts'
import type { Session } from '../store/database.ts'
import { ScheduleStore } from '../store/schedule-store.ts'

/** What one worker says about schedules, from its start to its stop. */
export class ScheduleDeclaration {
  readonly #store: ScheduleStore
  readonly #schedules: readonly Schedule[]
  readonly #maxPayloadBytes: number
  #texts: readonly string[] = []
  #since: string | undefined

  constructor(tables: Tables, schedules: readonly Schedule[], maxPayloadBytes: number) {
    this.#store = new ScheduleStore(tables)
    this.#schedules = schedules
    this.#maxPayloadBytes = maxPayloadBytes
  }

  /**
   * Checks the payloads.
   * @throws PgqError INVALID_PAYLOAD, PAYLOAD_TOO_LARGE
   */
  async prepare(): Promise<void> {
    this.#texts = await Promise.all(this.#schedules.map((one) => scheduleText(one, this.#maxPayloadBytes)))
  }

  /** Says it. Under a new id it has been said for as long as before: the program is no newer. */
  async declare(session: Session, workerId: string): Promise<void> {
    if (this.#texts.length > 0)
      this.#since = await this.#store.declare(session, workerId, this.#texts, this.#since)
  }
}
