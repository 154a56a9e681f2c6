import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** Stands between an application and its server, and breaks connections when it is told. */
export interface BreakingProxy {
  readonly url: string
  /** From now on, breaks the connection that sends this, before the server hears of it; undefined lets all pass. */
  breakAt(text: string | undefined): void
  /** From now on, lets the server wait for what a connection sends from this on, for so many ms. */
  delayAt(text: string, ms: number): void
  /** How many connections it has broken. */
  broken(): number
}

/** Opens one for the length of a test. */
export async function breakingProxy(databaseUrl: string): Promise<BreakingProxy> {
  const server = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let at: string | undefined
  let delay: { readonly at: string; readonly ms: number } | undefined
  let broken = 0
  const proxy = createServer((near) => {
    const far = connect(Number(server.port), server.hostname)
    const end = (): void => {
      for (const socket of [near, far]) socket.destroy()
      sockets.delete(near)
    }
    sockets.add(near)
    near.on('data', (sent) => {
      if (at !== undefined && sent.includes(at)) {
        broken++
        end()
      } else if (delay && sent.includes(delay.at)) {
        near.pause()
        setTimeout(() => (far.write(sent), near.resume()), delay.ms)
      } else far.write(sent)
    })
    far.pipe(near)
    for (const socket of [near, far]) socket.on('error', end).on('close', end)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((proxy.address() as AddressInfo).port)
  return {
    url: url.href,
    breakAt: (text) => void (at = text),
    delayAt: (text, ms) => void (delay = { at: text, ms }),
    broken: () => broken,
  }
}
