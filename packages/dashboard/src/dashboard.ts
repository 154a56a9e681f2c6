import type { Pgq } from '@pgq/core'
import { type Grant, grantOf } from './access.ts'
import { type Asset, readAssets } from './assets.ts'
import { type DashboardOptions, type DashboardSettings, dashboardSettings } from './dashboard-options.ts'
import { LiveFeed } from './live-feed.ts'
import { page, refusalPage } from './page.ts'
import { html, problem, problemOf, respond } from './responses.ts'
import { PAGES, type Route, ROUTES } from './routes.ts'

/** A dashboard: a function from a standard request to a standard response. */
export interface Dashboard<Context = undefined> {
  (request: Request, ...context: Context extends undefined ? [] : [Context]): Promise<Response>
  /** Ends the live connections, so that a server can be closed. The next request begins new ones. */
  close(): void
}

/**
 * Makes the handler of a dashboard.
 * @throws PgqError INVALID_OPTION, as when there is no `authorize`
 * @example
 * const admin = dashboard(pgq, { basePath: '/admin/jobs', authorize: (request) => (isAdmin(request) ? 'write' : 'none') })
 */
export function dashboard<Context = undefined>(
  pgq: Pgq,
  options: DashboardOptions<Context>,
): Dashboard<Context> {
  const host = new DashboardHost(pgq, options)
  const handler = (request: Request, context?: Context): Promise<Response> =>
    host.answer(request, context as Context)
  return Object.assign(handler, { close: () => host.close() }) as Dashboard<Context>
}

/** What stands behind a handler and the mounts. */
export class DashboardHost<Context> {
  readonly #pgq: Pgq
  readonly #settings: DashboardSettings<Context>
  readonly #assets = readAssets()
  readonly #feed: LiveFeed
  #closing = new AbortController()

  /** Use `dashboard`, or a mount. */
  constructor(pgq: Pgq, options: DashboardOptions<Context>) {
    this.#settings = dashboardSettings(pgq, options)
    this.#pgq = pgq
    this.#feed = new LiveFeed(pgq)
  }

  /** Answers a request. It never rejects. */
  async answer(request: Request, context: Context, basePath = this.#settings.basePath): Promise<Response> {
    try {
      const answer = await this.#authorize(request, context)
      if (answer instanceof Response) return answer
      if (answer.access === 'none') return refusal(request, this.#settings.title)
      return await this.#answerTo(answer, request, new URL(request.url), basePath)
    } catch (error) {
      const response = problemOf(error)
      if (response.status >= 500) this.#tell(error)
      return response
    }
  }

  close(): void {
    this.#closing.abort()
    this.#closing = new AbortController()
  }

  /** Whoever asks learns nothing of what went wrong in it. */
  async #authorize(request: Request, context: Context): Promise<Grant | Response> {
    try {
      const answer = await this.#settings.authorize(request, context)
      return answer instanceof Response ? answer : grantOf(answer)
    } catch (error) {
      this.#tell(error)
      return problem(500, 'It could not be found out what you may do.')
    }
  }

  #tell(error: unknown): void {
    this.#pgq.events.emit('error', { where: 'the dashboard', error })
  }

  async #answerTo(grant: Grant, request: Request, url: URL, basePath: string): Promise<Response> {
    // Relative, so that it is right behind a proxy as well that takes a part of the path away.
    if (url.pathname === basePath && basePath !== '')
      return respond(308, null, { Location: `${basePath.split('/').at(-1)}/${url.search}` })
    if (!url.pathname.startsWith(`${basePath}/`)) return problem(404, 'There is nothing here.')
    const path = url.pathname.slice(basePath.length + 1)
    if (path.startsWith('api/')) return this.#answerCall(grant, request, url, path)
    if (request.method !== 'GET' && request.method !== 'HEAD') return notAllowed('GET, HEAD')
    const asset = Object.values(this.#assets).find((one) => one.path === path)
    if (asset) return fileResponse(asset, request)
    return PAGES.test(path) ? this.#page(grant, path) : problem(404, 'There is no such page.')
  }

  async #answerCall(grant: Grant, request: Request, url: URL, path: string): Promise<Response> {
    const routes = ROUTES.filter((route) => route.path.test(path))
    if (routes.length === 0) return problem(404, 'There is nothing here.')
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = routes.find((one) => one.method === method)
    if (!route) return notAllowed(routes.map((one) => one.method).join(', '))
    return route.answer({
      pgq: this.#pgq,
      settings: this.#settings,
      feed: this.#feed,
      closed: this.#closing.signal,
      grant,
      request,
      url,
      parts: partsOf(route, path),
    })
  }

  #page(grant: Grant, path: string): Response {
    const { 'app.js': script, 'app.css': style } = this.#assets
    const depth = path.split('/').length - 1
    const { title, isSearchOpen } = this.#settings
    const maySearch = isSearchOpen || grant.access === 'write'
    return html(page({ title, grant, maySearch, script, style, depth }))
  }
}

/** People get a page, scripts a problem. */
const refusal = (request: Request, title: string): Response =>
  /\btext\/html\b/.test(request.headers.get('accept') ?? '')
    ? html(refusalPage(title), 403)
    : problem(403, 'You may not see this.')

const partsOf = (route: Route, path: string): string[] =>
  (route.path.exec(path) ?? []).slice(1).map((part) => decoded(part))

/** A part that is no proper encoding stands for itself: nothing has such a name. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

const notAllowed = (allow: string): Response => {
  const response = problem(405, `This answers to ${allow}.`)
  response.headers.set('Allow', allow)
  return response
}

function fileResponse(asset: Asset, request: Request): Response {
  const isGzip = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')
  return respond(200, isGzip ? asset.gzipped : asset.body, {
    'Content-Type': asset.type,
    'Cache-Control': 'private, max-age=31536000, immutable',
    Vary: 'Accept-Encoding',
    ...(isGzip && { 'Content-Encoding': 'gzip' }),
  })
}
