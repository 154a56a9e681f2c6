import type { Pgq } from '@pgq/core'
import { setTimeout as sleep } from 'node:timers/promises'
import { receiveWebhook } from './receive-webhook.ts'
import type { Webhook } from './webhook-file.ts'

/** How many webhooks come in each second: slow enough that the queue can be watched while it works. */
const PER_SECOND = 160
/** How many transactions are open at once, at most. */
const AT_ONCE = 10
/** Every so many transactions one is rolled back on purpose. */
const ROLL_BACK_EVERY = 40

/** The providers' side: sends all webhooks, as they would come in over some seconds. */
export class Delivery {
  committed = 0
  rolledBack = 0
  readonly #pgq: Pgq
  readonly #webhooks: readonly Webhook[]

  constructor(pgq: Pgq, webhooks: readonly Webhook[]) {
    this.#pgq = pgq
    this.#webhooks = webhooks
  }

  /** Sends them. A webhook whose transaction was rolled back is not sent again, which a real provider would do. */
  async run(signal: AbortSignal): Promise<void> {
    const startedMs = performance.now()
    const arriving = this.#webhooks.entries() // shared: each line takes the next webhook that nobody has
    const line = async (): Promise<void> => {
      for (const [index, webhook] of arriving) {
        const dueMs = startedMs + (index * 1_000) / PER_SECOND
        await sleep(Math.max(0, dueMs - performance.now()))
        signal.throwIfAborted()
        await this.#receive(index, webhook)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, line))
  }

  async #receive(index: number, webhook: Webhook): Promise<void> {
    const fail = (index + 1) % ROLL_BACK_EVERY === 0
    const committed = await receiveWebhook(this.#pgq, webhook, { fail })
    if (committed) this.committed++
    else this.rolledBack++
  }
}
