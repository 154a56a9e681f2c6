import { once } from 'node:events'
import net from 'node:net'
import { onTestFinished } from 'vitest'

/** The way to a server, which can be cut. */
export interface BreakableLink {
  /** The address of the server, by this way. */
  readonly url: string
  /** Breaks all connections, and refuses new ones. */
  cut(): Promise<void>
  mend(): Promise<void>
}

/** Puts a proxy before a server. */
export async function breakableLink(to: string): Promise<BreakableLink> {
  const { port, hostname } = new URL(to)
  const sockets = new Set<net.Socket>()
  const keep = (socket: net.Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }
  const listen = async (at: number): Promise<net.Server> => {
    const proxy = net.createServer((socket) => {
      const server = net.connect(Number(port), hostname)
      keep(socket)
      keep(server)
      socket.pipe(server).pipe(socket)
      socket.once('close', () => server.destroy())
      server.once('close', () => socket.destroy())
    })
    proxy.listen(at, '127.0.0.1')
    await once(proxy, 'listening')
    return proxy
  }
  let proxy = await listen(0)
  const address = proxy.address() as net.AddressInfo
  const cut = async (): Promise<void> => {
    proxy.close()
    for (const socket of sockets) socket.destroy()
    if (proxy.listening) await once(proxy, 'close')
  }
  onTestFinished(cut)
  const url = new URL(to)
  url.hostname = '127.0.0.1'
  url.port = String(address.port)
  return {
    url: url.href,
    cut,
    mend: async () => {
      proxy = await listen(address.port)
    },
  }
}
