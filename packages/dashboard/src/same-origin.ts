/** The header that our script sends along: a form can't, and a script of another origin would have to ask for permission first. */
const CSRF_HEADER = 'x-pgq-dashboard'

/**
 * Whether a request that changes something was sent by our own page. Browsers say where a request comes from, and no page can
 * make them lie; where one does not say it (it is old, or there is no encryption) the header and the origin must do.
 */
export function isFromOurPage(request: Request): boolean {
  if (request.headers.get(CSRF_HEADER) === null) return false
  if (!request.headers.get('content-type')?.startsWith('application/json')) return false
  const site = request.headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin'
  const origin = request.headers.get('origin')
  return origin === null || hostOf(origin) === new URL(request.url).host
}

/** Of `null`, which hides who it is, there is none. The scheme may differ behind a proxy that does the encryption. */
const hostOf = (origin: string): string | undefined =>
  URL.canParse(origin) ? new URL(origin).host : undefined
