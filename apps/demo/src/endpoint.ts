import type { Express } from 'express'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An Express app on a free port of this machine. */
export class Endpoint {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    const { port } = server.address() as AddressInfo
    this.url = `http://127.0.0.1:${port}`
    this.#server = server
  }

  /** Starts to listen. */
  static async open(app: Express): Promise<Endpoint> {
    const server = createServer(app).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Endpoint(server)
  }

  /** Answers the requests under way, and then no more. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeIdleConnections()
    await closed
  }
}
