import type { AnyQueue } from '@pgq/core'

/** What one call of `forFeature` says: which queues must have a handler. It holds nothing else. */
export class FeatureQueues {
  readonly connection: string
  readonly handledHere: readonly AnyQueue[]

  constructor(connection: string, handledHere: readonly AnyQueue[]) {
    this.connection = connection
    this.handledHere = handledHere
  }
}
