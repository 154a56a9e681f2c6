import { once } from 'node:events'
import net from 'node:net'
import { cleanUpAfterwards } from '@pgq/test-support'

/** One message of PostgreSQL's protocol that comes through. */
export interface Message {
  readonly by: 'client' | 'server'
  /** Its type: `P` for Parse, `Q` for Query …; empty for the first one of a connection, which has none. */
  readonly type: string
  /** What it says, for looking into it. */
  readonly text: string
  /** The process id of the backend, once it has been told. */
  readonly pid: number | undefined
}

/**
 * What becomes of a message. `cut`: it is lost, and the connection with it. `deliver and cut`: it arrives, and the connection
 * breaks before there is an answer. A promise: it is held up, with all that comes after it.
 */
export type Fate = 'pass' | 'cut' | 'deliver and cut'

/** A proxy that knows where messages end. */
export interface MessageProxy {
  readonly url: string
  /** Decides about each message, in the order in which they come through; at first all pass. */
  decide: (message: Message, connection: Connection) => Fate | Promise<Fate>
}

/** One connection through it. */
interface Connection {
  /** Breaks the client's side only: what comes from it still arrives. */
  hangUp(): void
}

/** Starts one; it is closed when the test or the file ends. */
export async function startMessageProxy(databaseUrl: string): Promise<MessageProxy> {
  const target = new URL(databaseUrl)
  const links = new Set<Link>()
  const proxy: { url: string; decide: MessageProxy['decide'] } = { url: '', decide: () => 'pass' }
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(target.port || 5432), target.hostname)
    const link = new Link(client, upstream, (message) => proxy.decide(message, link))
    links.add(link)
    client.on('close', () => links.delete(link))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUpAfterwards(async () => {
    for (const link of links) link.cut()
    server.close()
  })
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as net.AddressInfo).port)
  proxy.url = url.href
  return proxy
}

class Link implements Connection {
  readonly #client: net.Socket
  readonly #server: net.Socket
  readonly #decide: (message: Message) => Fate | Promise<Fate>
  #pid: number | undefined
  #isCut = false

  constructor(client: net.Socket, server: net.Socket, decide: (message: Message) => Fate | Promise<Fate>) {
    this.#client = client
    this.#server = server
    this.#decide = decide
    for (const [from, to, by] of [
      [client, server, 'client'],
      [server, client, 'server'],
    ] as const) {
      from.setNoDelay(true)
      from.on('error', () => {})
      void this.#carry(from, to, by)
    }
  }

  hangUp(): void {
    this.#client.destroy()
  }

  cut(): void {
    this.#isCut = true
    this.#client.destroy()
    this.#server.destroy()
  }

  async #carry(from: net.Socket, to: net.Socket, by: Message['by']): Promise<void> {
    let rest: Buffer = Buffer.alloc(0)
    let isFirst = by === 'client'
    try {
      for await (const chunk of from) {
        rest = Buffer.concat([rest, chunk as Buffer])
        for (let length = lengthOf(rest, isFirst); length > 0; length = lengthOf(rest, isFirst)) {
          await this.#pass(rest.subarray(0, length), isFirst, to, by)
          if (this.#isCut) return
          rest = rest.subarray(length)
          isFirst = false
        }
      }
    } catch {
      // The connection is broken, which the other side hears of now.
    }
    // A client that hung up has perhaps said something before that is still to arrive.
    to.end()
  }

  async #pass(bytes: Buffer, isFirst: boolean, to: net.Socket, by: Message['by']): Promise<void> {
    const type = isFirst ? '' : String.fromCharCode(bytes[0] as number)
    if (by === 'server' && type === 'K') this.#pid = bytes.readInt32BE(5)
    const fate = await this.#decide({ by, type, text: bytes.toString('latin1'), pid: this.#pid })
    if (this.#isCut) return
    if (fate === 'cut') return this.cut()
    to.write(bytes)
    if (fate !== 'deliver and cut') return
    this.#isCut = true
    this.#client.destroy()
    // It has to arrive: a polite end lets what was written go first.
    this.#server.end()
  }
}

/** How long the first whole message is; 0 when it is not all there. */
function lengthOf(bytes: Buffer, isFirst: boolean): number {
  const head = isFirst ? 0 : 1
  if (bytes.length < head + 4) return 0
  const length = head + bytes.readInt32BE(head)
  return bytes.length < length ? 0 : length
}
