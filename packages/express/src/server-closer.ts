import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

/** How often idle connections are looked for while the server closes, in ms. */
const SWEEP_MS = 50
/** How long a connection on which nothing was ever sent may go on, in ms: browsers open some that they never use. */
const UNUSED_MS = 1_000

/**
 * Closes an HTTP server: requests under way are finished, and no connection outlives its request.
 *
 * `server.close()` alone closes the connections that are idle at that moment. One that has a request then goes back to being idle
 * and stays for `keepAliveTimeout`, serving more requests; one on which no request ever began stays until `headersTimeout`.
 */
export class ServerCloser {
  readonly #server: Server
  /** The open connections, and how much had been read when each was ready for its first request. */
  readonly #sockets = new Map<Socket, number>()
  readonly #responses = new Set<ServerResponse>()
  #isClosing = false

  constructor(server: Server) {
    this.#server = server
    // Before the application, which may answer at once.
    server.prependListener('request', (_req, res) => this.#track(res))
    const connection = server instanceof TlsServer ? 'secureConnection' : 'connection'
    server.on(connection, (socket: Socket) => {
      this.#sockets.set(socket, socket.bytesRead)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  /** Takes no more connections, and resolves when the last one is closed. A server that doesn't listen is closed already. */
  close(): Promise<void> {
    this.#isClosing = true
    for (const res of this.#responses) this.#makeLast(res)
    const started = performance.now()
    const sweep = setInterval(() => {
      this.#server.closeIdleConnections()
      if (performance.now() - started > UNUSED_MS) this.#closeUnused()
    }, SWEEP_MS)
    return new Promise<void>((resolve, reject) => {
      this.#server.close((error) => {
        clearInterval(sweep)
        const wasClosed = error && 'code' in error && error.code === 'ERR_SERVER_NOT_RUNNING'
        if (error && !wasClosed) reject(error)
        else resolve()
      })
    })
  }

  /** Breaks off what is still open, upgraded connections too. */
  cut(): void {
    this.#server.closeAllConnections()
    for (const socket of this.#sockets.keys()) socket.destroy()
  }

  #track(res: ServerResponse): void {
    this.#responses.add(res)
    res.once('close', () => this.#responses.delete(res))
    if (this.#isClosing) this.#makeLast(res)
  }

  /** Tells the client, which would otherwise send its next request into a connection that is being closed. */
  #makeLast(res: ServerResponse): void {
    if (!res.headersSent) res.setHeader('Connection', 'close')
  }

  #closeUnused(): void {
    for (const [socket, bytesRead] of this.#sockets) if (socket.bytesRead === bytesRead) socket.destroy()
  }
}
