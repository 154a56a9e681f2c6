/** The dashboard in an Express application, or behind anything else that takes a handler of Node's requests. */
import type { ServerResponse } from 'node:http'
import type { Pgq } from '@pgq/core'
import { DashboardHost } from './dashboard.ts'
import type { DashboardOptions } from './dashboard-options.ts'
import { bridge, type MountedRequest } from './node-bridge.ts'

export type { Access, Authorization, Grant } from './access.ts'
export type { AuditAction, AuditEvent } from './audit.ts'
export type { DashboardOptions } from './dashboard-options.ts'
export type { MountedRequest } from './node-bridge.ts'

/** A handler for `app.use`. It never rejects. */
export interface DashboardMiddleware {
  (req: MountedRequest, res: ServerResponse): Promise<void>
  /** Ends the live connections, so that a server can be closed. */
  close(): void
}

/**
 * Makes a handler to mount: `app.use('/admin/jobs', requireLogin, dashboardMiddleware(pgq, { authorize }))`. `authorize` gets the request of Express
 * as its second argument, with whatever middlewares in front have put there.
 * @throws PgqError INVALID_OPTION
 */
export function dashboardMiddleware<Req extends MountedRequest = MountedRequest>(
  pgq: Pgq,
  options: Omit<DashboardOptions<Req>, 'basePath'>,
): DashboardMiddleware {
  const host = new DashboardHost<Req>(pgq, options)
  const middleware = (req: MountedRequest, res: ServerResponse): Promise<void> =>
    bridge(req, res, (request) => host.answer(request, req as Req, req.baseUrl ?? ''))
  return Object.assign(middleware, { close: () => host.close() })
}
