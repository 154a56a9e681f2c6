import type { Pgq } from '@pgq/core'
import { dashboard, type Dashboard, type DashboardOptions } from '../../src/index.ts'

/** Where the dashboards of these tests are said to be. */
export const ORIGIN = 'http://shop.test'
/** What the dashboard's own script sends along. */
export const FROM_OUR_PAGE = { 'content-type': 'application/json', 'x-pgq-dashboard': '1' }

/** Somebody who calls a dashboard, without a server in between. */
export interface Visitor {
  readonly handler: Dashboard
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Response>
  /** Sends JSON as the dashboard's own script does. */
  readonly post: (path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>
  /** The body of a GET. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test knows what it asked for
  readonly read: (path: string) => Promise<any>
}

/** Makes a dashboard at `/admin/jobs`, and somebody who may do anything unless the options say otherwise. */
export function visit(pgq: Pgq, options: Partial<DashboardOptions> = {}): Visitor {
  const handler = dashboard(pgq, { authorize: () => 'write', basePath: '/admin/jobs', ...options })
  const send = (path: string, init?: RequestInit): Promise<Response> =>
    handler(new Request(`${ORIGIN}/admin/jobs/${path}`, init))
  return {
    handler,
    get: (path, headers = {}) => send(path, { headers }),
    post: (path, body = {}, headers = {}) =>
      send(path, { method: 'POST', headers: { ...FROM_OUR_PAGE, ...headers }, body: JSON.stringify(body) }),
    read: async (path) => (await send(path)).json(),
  }
}
