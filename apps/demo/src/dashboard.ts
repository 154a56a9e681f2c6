import type { Pgq } from '@pgq/core'
import { dashboardMiddleware } from '@pgq/dashboard/express'
import type { Cleanup } from './cleanup.ts'
import { Endpoint } from './endpoint.ts'

/**
 * Serves the dashboard on this machine, and to it alone: a page of the internet that gives itself another address for it gets nothing.
 * Returns its address.
 */
export async function serveDashboard(pgq: Pgq, cleanup: Cleanup): Promise<string> {
  const dashboard = dashboardMiddleware(pgq, {
    authorize: (request) => (new URL(request.url).hostname === '127.0.0.1' ? 'write' : 'none'),
    title: 'pgq demo',
  })
  const endpoint = await Endpoint.open((req, res) => void dashboard(req, res))
  cleanup.add(() => endpoint.close())
  return endpoint.url
}
