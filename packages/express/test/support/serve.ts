import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type Express, type RequestHandler } from 'express'
import { cleanUpAfterwards } from '@pgq/test-support'

/** An application that listens. */
export interface Served {
  readonly server: Server
  readonly url: string
  /** `fetch` with a path. */
  readonly request: (path: string, init?: RequestInit) => Promise<Response>
  /** The same with a body of JSON. */
  readonly post: (path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>
}

/** Serves an application on the loopback, until the test or the file ends. */
export async function serve(app: Express): Promise<Served> {
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUpAfterwards(async () => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const request = (path: string, init?: RequestInit): Promise<Response> => fetch(url + path, init)
  return {
    server,
    url,
    request,
    post: (path, body, headers = {}) =>
      request(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(body ?? {}),
      }),
  }
}

/** An application with some middlewares in front. */
export function appWith(...middlewares: RequestHandler[]): Express {
  const app = express()
  app.set('env', 'test') // Express writes errors to the console otherwise
  for (const middleware of middlewares) app.use(middleware)
  return app
}

/** The body of a response. */
// oxlint-disable-next-line typescript/no-explicit-any -- a test knows what it asked for
export async function bodyOf(response: Response): Promise<any> {
  return response.json()
}
