import { PgqError } from '@pgq/core'
import { show } from '@pgq/core/options'
import type { Request } from 'express'

/**
 * Where clients find `jobStatusRouter`: a path, counted from where `pgqMiddleware` is mounted; a whole URL; or a function of
 * the request that returns either as the client should see it, for an API behind a proxy that rewrites paths.
 */
export type StatusPath = string | ((req: Request) => string)

/** Makes the address of a job, given the request and the path that the middleware was mounted at. */
export type JobAddress = (req: Request, mountedAt: string, id: string) => string

/**
 * The way to job addresses. Routers between the middleware and the route don't matter: a route in `app.use('/v1', router)`
 * has `/v1` as its `req.baseUrl`, which says nothing about where the status router is.
 * @throws PgqError INVALID_OPTION
 */
export function jobAddress(statusPath: StatusPath): JobAddress {
  if (typeof statusPath === 'function') return (req, _mountedAt, id) => join(statusPath(req), id)
  const isUrl = /^https?:\/\/[^/?#]+[^?#]*$/i.test(statusPath)
  if (!isUrl && !/^\/(?!\/)[^?#]*$/.test(statusPath)) {
    throw new PgqError(
      'INVALID_OPTION',
      `statusPath is ${show(statusPath)}: it must be a path that begins with one slash, such as '/jobs', a URL without query, or a function`,
    )
  }
  return (_req, mountedAt, id) => join(isUrl ? statusPath : mountedAt + statusPath, id)
}

function join(base: string, id: string): string {
  return `${encoded(base).replace(/\/+$/, '')}/${id}`
}

/** As a header can have it. What is encoded already stays as it is. */
function encoded(address: string): string {
  return encodeURI(address.toWellFormed()).replace(/%25([\da-f]{2})/gi, '%$1')
}
