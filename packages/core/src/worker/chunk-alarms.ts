import { startTimer } from '../runtime/clock.ts'
import type { Lane } from './lane.ts'

/** Tells when chunks that are not full have waited long enough for more jobs. */
export class ChunkAlarms {
  readonly #lanes: readonly Lane[]
  readonly #onDue: () => void
  readonly #set = new Set<Lane>()

  /** @param onDue told that a chunk may begin */
  constructor(lanes: readonly Lane[], onDue: () => void) {
    this.#lanes = lanes.filter((lane) => lane.handler.chunk !== undefined)
    this.#onDue = onDue
  }

  /** Sets an alarm for each lane with a chunk that waits. */
  set(): void {
    for (const lane of this.#lanes) {
      const dueMs = lane.chunkDueMs
      if (dueMs === 0 || dueMs === Infinity || this.#set.has(lane)) continue
      this.#set.add(lane)
      startTimer(dueMs + 1, () => {
        this.#set.delete(lane)
        this.#onDue()
      })
    }
  }
}
