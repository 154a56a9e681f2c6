import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { Events } from '../events.ts'
import { settledWithin } from '../runtime/clock.ts'
import { Loop } from '../runtime/loop.ts'
import type { Service } from '../runtime/service.ts'
import { LISTENING_CHANNELS, listenTo, notifyProbe } from '../sql/listen.ts'
import type { Database } from '../store/database.ts'
import { destroyConnection } from '../store/destroy-connection.ts'

/** What the listener needs from outside. */
export interface ListenerDeps {
  readonly channel: string
  /** Other connections than the one that listens: what they send must arrive at it. */
  readonly database: Database
  readonly openClient: () => pg.Client
  readonly events: Events
  /** A queue may have work; no name means any of them, since something may have been missed. */
  readonly onWake: (queue?: string) => void
  /** A queue was paused, held back, or has other limits; or, with a group, that group was held back. */
  readonly onHold: (queue: string, group: string | null) => void
  /** A running job was cancelled. */
  readonly onCancel: (jobId: string) => void
}

/** How often to ask whether the connection still listens, in ms. */
const CHECK_EVERY_MS = 10_000
/** How long a polite end of a connection may take, in ms. */
const CLOSE_MS = 500
/** How long a notification may take to arrive, in ms. */
const PROBE_MS = 2_000
/** After the server turned out not to deliver notifications (a transaction pooler), how long to wait before another try. */
const RETRY_POOLER_MS = 60_000

/**
 * One connection that listens. Notifications only ever make things faster: whoever listens also polls. So the
 * protocol is simple: connect, LISTEN, see whether a notification of another connection arrives (a transaction pooler
 * answers LISTEN without meaning it), suppose that something was missed; when the connection breaks, begin again.
 * Every few seconds the connection is asked what it listens to, since a half-open socket says nothing by itself.
 */
export class Listener implements Service {
  readonly #deps: ListenerDeps
  readonly #loop: Loop
  #client: pg.Client | undefined
  #listening = false
  #onProbe: ((probe: string) => void) | undefined

  constructor(deps: ListenerDeps) {
    this.#deps = deps
    this.#loop = new Loop({
      step: () => (this.#client ? this.#check(this.#client) : this.#connect()),
      onError: (error) => this.#disconnect(error),
      maxPauseMs: 10_000,
    })
  }

  /** Whether notifications arrive, as far as is known. */
  get isListening(): boolean {
    return this.#listening
  }

  start(): Promise<void> {
    return this.#loop.start()
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
    this.#listening = false
    const client = this.#client
    this.#client = undefined
    if (client) await closeQuietly(client)
  }

  async #connect(): Promise<number> {
    const client = this.#deps.openClient()
    this.#client = client
    // Without a listener of its own, a client that loses its connection ends the process.
    client.on('error', (error) => this.#lost(client, error))
    client.on('end', () => this.#lost(client, new Error('the connection ended')))
    client.on('notification', ({ payload }) => this.#notified(payload ?? ''))
    await client.connect()
    await client.query(listenTo(this.#deps.channel))
    if (!(await this.#probe())) return this.#giveUp()
    return this.#check(client)
  }

  /** Whether a notification that another connection sends arrives here. */
  async #probe(): Promise<boolean> {
    const { channel, database } = this.#deps
    const probe = randomUUID()
    const arrived = new Promise<void>((resolve) => {
      this.#onProbe = (received) => {
        if (received === probe) resolve()
      }
    })
    await database.run(notifyProbe, { channel, probe })
    return settledWithin(PROBE_MS, arrived)
  }

  async #check(client: pg.Client): Promise<number> {
    const { rows } = await client.query<{ channel: string }>(LISTENING_CHANNELS)
    if (!rows.some(({ channel }) => channel === this.#deps.channel)) return this.#giveUp()
    if (!this.#listening) {
      this.#listening = true
      this.#deps.events.emit('listener.connected', { channel: this.#deps.channel })
      this.#deps.onWake()
    }
    return CHECK_EVERY_MS
  }

  #hold(place: string): void {
    const [queue, group] = JSON.parse(place) as [string, string | null]
    this.#deps.onHold(queue, group)
  }

  #giveUp(): number {
    this.#disconnect(
      new Error(
        'the server does not deliver notifications to this connection (a transaction pooler?): polling only',
      ),
    )
    return RETRY_POOLER_MS
  }

  #notified(payload: string): void {
    if (payload.startsWith('queue:')) this.#deps.onWake(payload.slice('queue:'.length))
    else if (payload.startsWith('hold:')) this.#hold(payload.slice('hold:'.length))
    else if (payload.startsWith('cancel:')) this.#deps.onCancel(payload.slice('cancel:'.length))
    else if (payload.startsWith('probe:')) this.#onProbe?.(payload.slice('probe:'.length))
  }

  #lost(client: pg.Client, error: Error): void {
    if (client !== this.#client) return
    this.#disconnect(error)
    this.#loop.wake()
  }

  #disconnect(error: unknown): void {
    const client = this.#client
    this.#client = undefined
    const was = this.#listening
    this.#listening = false
    if (client) void closeQuietly(client)
    if (client) this.#deps.events.emit('listener.disconnected', { channel: this.#deps.channel, error })
    if (was) this.#deps.onWake()
  }
}

/** Closes a connection that may be half-open or broken already: nothing of it is of use any more. */
async function closeQuietly(client: pg.Client): Promise<void> {
  await settledWithin(CLOSE_MS, client.end())
  destroyConnection(client)
}
