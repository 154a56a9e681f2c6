import net from 'node:net'
import { once } from 'node:events'
import { cleanUpAfterwards } from '@pgq/test-support'

/** A TCP proxy in front of the database that misbehaves when it is told to. */
export interface Proxy {
  /** The connection string that goes through the proxy. */
  readonly url: string
  /** How many connections are open. */
  readonly size: number
  /** From now on nothing gets through in either direction, on new connections either, and nobody is told. */
  stall(): void
  /** Lets everything through again, what has been held back first. */
  resume(): void
  /** Cuts every connection off. */
  cut(): void
  /** From now on keeps what the server says, and passes it on in one piece when the returned function is called. */
  holdAnswers(): () => void
  /**
   * The next time a client sends something that matches: it reaches the server, which answers; then, instead of
   * passing the answer on, cuts this connection off. Resolves when that has happened.
   */
  eatReplyTo(sent: RegExp): Promise<void>
}

interface Trap {
  readonly sent: RegExp
  readonly sprung: () => void
}

/** Starts a proxy; it is closed when the test or the file ends. */
export async function startProxy(databaseUrl: string): Promise<Proxy> {
  const target = new URL(databaseUrl)
  const links = new Set<Link>()
  const traps: Trap[] = []
  const server = net.createServer((client) => {
    const link = new Link(client, net.connect(Number(target.port || 5432), target.hostname), traps)
    if (stalled) link.pause()
    if (holding) link.holdAnswers()
    links.add(link)
    link.onClose = () => links.delete(link)
  })
  let stalled = false
  let holding = false
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUpAfterwards(async () => {
    for (const link of links) link.destroy()
    server.close()
  })
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as net.AddressInfo).port)
  return {
    url: url.href,
    get size() {
      return links.size
    },
    stall() {
      stalled = true
      for (const link of links) link.pause()
    },
    resume() {
      stalled = false
      for (const link of links) link.resume()
    },
    cut() {
      for (const link of links) link.destroy()
    },
    holdAnswers() {
      holding = true
      for (const link of links) link.holdAnswers()
      return () => {
        holding = false
        for (const link of links) link.passAnswersOn()
      }
    },
    eatReplyTo: (sent) => new Promise((resolve) => traps.push({ sent, sprung: resolve })),
  }
}

/** One connection through the proxy. */
class Link {
  onClose: () => void = () => {}
  readonly #client: net.Socket
  readonly #server: net.Socket
  #trapped: Trap | undefined
  #held: Buffer[] | undefined

  constructor(client: net.Socket, server: net.Socket, traps: Trap[]) {
    this.#client = client
    this.#server = server
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk) => {
      const text = chunk.toString('latin1')
      const hit = traps.findIndex((trap) => trap.sent.test(text))
      if (hit >= 0) this.#trapped = traps.splice(hit, 1)[0]
      server.write(chunk)
    })
    server.on('data', (chunk) => {
      if (this.#trapped) {
        this.destroy()
        this.#trapped.sprung()
      } else if (this.#held) this.#held.push(chunk)
      else client.write(chunk)
    })
    for (const socket of [client, server]) {
      socket.on('error', () => {})
      // What was held is still to be passed on when the server has hung up.
      socket.on('close', () => {
        if (!this.#held || socket === client) this.destroy()
      })
    }
  }

  pause(): void {
    this.#client.pause()
    this.#server.pause()
  }

  resume(): void {
    this.#client.resume()
    this.#server.resume()
  }

  holdAnswers(): void {
    this.#held ??= []
  }

  passAnswersOn(): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.#client.write(Buffer.concat(held))
    if (this.#server.destroyed) this.#client.end()
  }

  destroy(): void {
    this.#client.destroy()
    this.#server.destroy()
    this.onClose()
  }
}
