import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below the ports that systems hand out to outgoing connections: a client that reconnects in a loop while
 * its server restarts could otherwise be given the server's own port, connect to itself, and keep it.
 */
const lowest = 20_000
const highest = 32_767

/** A port on 127.0.0.1 on which nobody listens now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1))
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
  } catch {
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}
