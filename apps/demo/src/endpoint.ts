import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server on a free port of this machine. */
export class Endpoint {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    const { port } = server.address() as AddressInfo
    this.url = `http://127.0.0.1:${port}`
    this.#server = server
  }

  /** Starts to listen; an Express app is a listener as well. */
  static async open(listener: RequestListener): Promise<Endpoint> {
    const server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Endpoint(server)
  }

  /** Ends all connections, and whatever was about to be answered on them. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}
