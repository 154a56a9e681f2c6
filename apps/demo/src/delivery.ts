import { setTimeout as sleep } from 'node:timers/promises'
import type { Webhook } from './webhook-file.ts'

/** How many webhooks come in each second: slow enough that the queue can be watched while it works. */
const PER_SECOND = 160
/** How many requests are under way at once, at most. */
const AT_ONCE = 10
/** The providers' side: sends all webhooks, as they would come in over some seconds. */
export class Delivery {
  committed = 0
  rolledBack = 0
  readonly #url: string
  readonly #webhooks: readonly Webhook[]

  /** `url` is where the shop takes webhooks. */
  constructor(url: string, webhooks: readonly Webhook[]) {
    this.#url = url
    this.#webhooks = webhooks
  }

  /** Sends them. A webhook whose transaction was rolled back is not sent again, which a real provider would do. */
  async run(signal: AbortSignal): Promise<void> {
    const startedMs = performance.now()
    const leaving = this.#webhooks.entries() // shared: each line takes the next webhook that nobody has
    const line = async (): Promise<void> => {
      for (const [index, webhook] of leaving) {
        const dueMs = startedMs + (index * 1_000) / PER_SECOND
        await sleep(Math.max(0, dueMs - performance.now()))
        await this.#send(webhook, signal)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, line))
  }

  async #send({ id, provider, receivedAt, headers, body }: Webhook, signal: AbortSignal): Promise<void> {
    const response = await fetch(new URL(`/webhooks/${provider}`, this.#url), {
      method: 'POST',
      headers: { ...headers, 'webhook-id': id, 'webhook-received-at': receivedAt },
      body,
      signal,
    })
    await response.arrayBuffer() // frees the connection for the next one
    if (response.status === 202) this.committed++
    else if (response.status === 503) this.rolledBack++
    else throw new Error(`the shop answered webhook ${id} with ${response.status} ${response.statusText}`)
  }
}
