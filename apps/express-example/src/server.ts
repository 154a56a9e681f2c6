import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'

/** A server that listens. */
export interface Listening {
  readonly server: Server
  readonly url: string
}

/** Serves the application on the loopback. Behind a load balancer, listen on all addresses. */
export async function listen(app: Express, port: number): Promise<Listening> {
  const server = app.listen(port, '127.0.0.1')
  await once(server, 'listening')
  // Longer than load balancers keep idle connections, or they would use one that is just being closed.
  server.keepAliveTimeout = 65_000
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}
