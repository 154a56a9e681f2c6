import { once } from 'node:events'
import net from 'node:net'

/** A TCP proxy in front of the database, one for each process, that misbehaves when it is told to. */
export class Proxy {
  readonly port: number
  readonly #server: net.Server
  readonly #links: Set<Link>
  readonly #state: State

  private constructor(server: net.Server, links: Set<Link>, state: State) {
    this.#server = server
    this.#links = links
    this.#state = state
    this.port = (server.address() as net.AddressInfo).port
  }

  /** Starts one to a port of this machine. */
  static async start(target: number): Promise<Proxy> {
    const links = new Set<Link>()
    const state: State = { stalled: false, delayMs: 0, trap: undefined }
    const server = net.createServer({ allowHalfOpen: true }, (client) => {
      const toServer = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
      const link = new Link(client, toServer, state, () => links.delete(link))
      links.add(link)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Proxy(server, links, state)
  }

  /** How many connections go through it now. */
  get size(): number {
    return this.#links.size
  }

  /** Cuts every connection off. */
  cut(): void {
    for (const link of this.#links) link.destroy()
  }

  /** From now on nothing gets through in either direction, on new connections either, and nobody is told. */
  stall(): void {
    this.#state.stalled = true
    for (const link of this.#links) link.pause()
  }

  /** Lets everything through again, what was held back first. */
  resume(): void {
    this.#state.stalled = false
    for (const link of this.#links) link.resume()
  }

  /** From now on everything takes this much longer, in ms. */
  delay(ms: number): void {
    this.#state.delayMs = ms
  }

  /** Ends every connection on one side only: the other side hears nothing, and nobody answers it. */
  halfClose(side: 'client' | 'server'): void {
    for (const link of this.#links) link.halfClose(side)
  }

  /** Cuts off what was closed by half. */
  cutHalfClosed(): void {
    for (const link of this.#links) if (link.isHalfClosed) link.destroy()
  }

  /**
   * The next time that a client sends something that matches: it reaches the server, and when that answers the connection
   * is cut off instead. With `before` it is cut off before it reaches the server. Resolves with whether it happened in time.
   */
  trap(sent: RegExp, withinMs: number, before = false): Promise<boolean> {
    return new Promise((resolve) => {
      const trap: Trap = {
        sent,
        before,
        sprung: () => {
          clearTimeout(impatience)
          resolve(true)
        },
      }
      const impatience = setTimeout(() => {
        if (this.#state.trap === trap) this.#state.trap = undefined
        resolve(false)
      }, withinMs)
      this.#state.trap = trap
    })
  }

  close(): void {
    this.cut()
    this.#server.close()
  }
}

interface Trap {
  readonly sent: RegExp
  readonly before: boolean
  readonly sprung: () => void
}

interface State {
  stalled: boolean
  delayMs: number
  trap: Trap | undefined
}

/** One connection through the proxy. */
class Link {
  readonly #client: net.Socket
  readonly #server: net.Socket
  readonly #state: State
  readonly #onClose: () => void
  #trapped: Trap | undefined
  #silent = false
  #destroyed = false
  #pending = 0
  #lastDelayMs = 0

  constructor(client: net.Socket, server: net.Socket, state: State, onClose: () => void) {
    this.#client = client
    this.#server = server
    this.#state = state
    this.#onClose = onClose
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk) => this.#fromClient(chunk))
    server.on('data', (chunk) => this.#fromServer(chunk))
    for (const socket of [client, server]) {
      socket.on('error', () => this.destroy())
      socket.on('close', () => this.#silent || this.destroy())
    }
    // Both ends may be half open, for the faults; else an end of one is the end of the other.
    client.on('end', () => this.#silent || this.#later(() => server.end()))
    server.on('end', () => this.#silent || this.#later(() => client.end()))
    if (state.stalled) this.pause()
  }

  get isHalfClosed(): boolean {
    return this.#silent
  }

  pause(): void {
    this.#client.pause()
    this.#server.pause()
  }

  resume(): void {
    this.#client.resume()
    this.#server.resume()
  }

  halfClose(side: 'client' | 'server'): void {
    this.#silent = true
    if (side === 'client') this.#client.end()
    else this.#server.end()
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.#client.destroy()
    this.#server.destroy()
    this.#onClose()
  }

  #fromClient(chunk: Buffer): void {
    const { trap } = this.#state
    if (trap?.sent.test(chunk.toString('latin1')) === true) {
      this.#state.trap = undefined
      if (trap.before) return this.#spring(trap)
      this.#trapped = trap
    }
    this.#later(() => this.#silent || this.#server.write(chunk))
  }

  #fromServer(chunk: Buffer): void {
    if (this.#trapped) return this.#spring(this.#trapped)
    this.#later(() => this.#silent || this.#client.write(chunk))
  }

  #spring(trap: Trap): void {
    this.destroy()
    trap.sprung()
  }

  /** In order, also while the delay changes: timers of one length fire in the order they were set. */
  #later(pass: () => unknown): void {
    if (this.#state.delayMs === 0 && this.#pending === 0) return void pass()
    this.#pending++
    setTimeout(
      () => {
        this.#pending--
        pass()
      },
      (this.#lastDelayMs =
        this.#pending > 1 ? Math.max(this.#lastDelayMs, this.#state.delayMs) : this.#state.delayMs),
    )
  }
}
