import type { JobRecord, Pgq } from '@pgq/core'
import { PgqError } from '@pgq/core'
import { functionOption, knownOptions, show, textOption } from '@pgq/core/options'
import type { AuditEvent } from './audit.ts'
import type { Authorization } from './access.ts'

/** How a dashboard is made. */
export interface DashboardOptions<Context = undefined> {
  /**
   * Says what whoever sends a request may do: asked for every single one. There is no default, and no dashboard without it. What it throws lets
   * nobody in. The context is what the handler was called with: the request of Express or Nest there.
   */
  readonly authorize: (request: Request, context: Context) => Authorization | Promise<Authorization>
  /**
   * What of a job may be seen: it gets every job before it is shown, and returns what is shown instead. @default everything
   */
  readonly redact?: (job: JobRecord) => JobRecord
  /**
   * Who may search in payloads and errors. A search finds what is stored, so with it one can find out, a guess at a time, what `redact` hides.
   * @default 'write' with `redact`, which is those who may act; 'read' without, which is everybody who may look
   */
  readonly search?: 'read' | 'write'
  /** Told of everything that somebody did or tried to do. @default nobody */
  readonly audit?: (event: AuditEvent) => unknown
  /** Where the dashboard is mounted, such as `/admin/jobs`. Not for mounts, which know it. @default '/' */
  readonly basePath?: string
  /** The heading, 1 to 100 characters. @default 'pgq' */
  readonly title?: string
}

/** Options that were checked. */
export interface DashboardSettings<Context> {
  readonly authorize: DashboardOptions<Context>['authorize']
  readonly redact: (job: JobRecord) => JobRecord
  readonly isRedacting: boolean
  /** Whether those who may only look may search in payloads and errors. */
  readonly isSearchOpen: boolean
  readonly audit: (event: AuditEvent) => unknown
  /** Without a slash at its end. */
  readonly basePath: string
  readonly title: string
}

/**
 * Checks options.
 * @throws PgqError INVALID_OPTION
 */
export function dashboardSettings<Context>(
  pgq: unknown,
  options: DashboardOptions<Context>,
): DashboardSettings<Context> {
  assertPgq(pgq)
  knownOptions('dashboard', options ?? {}, ['authorize', 'redact', 'search', 'audit', 'basePath', 'title'])
  if (typeof options?.authorize !== 'function') {
    throw new PgqError(
      'INVALID_OPTION',
      `authorize is ${show(options?.authorize)}: a dashboard needs a function that says who may see it and who may act`,
    )
  }
  return {
    authorize: options.authorize,
    redact: options.redact === undefined ? (job) => job : functionOption('redact', options.redact),
    isRedacting: options.redact !== undefined,
    isSearchOpen: searchOption(options.search ?? (options.redact ? 'write' : 'read')) === 'read',
    audit: options.audit === undefined ? () => {} : functionOption('audit', options.audit),
    basePath: basePathOption(options.basePath ?? '/'),
    title: textOption('title', options.title ?? 'pgq', 100),
  }
}

function assertPgq(pgq: unknown): asserts pgq is Pgq {
  if (typeof pgq === 'object' && pgq !== null && 'insights' in pgq) return
  throw new PgqError(
    'INVALID_OPTION',
    `dashboard was given ${show(pgq)}: it needs what createPgq(…) returned`,
  )
}

function searchOption(value: unknown): 'read' | 'write' {
  if (value === 'read' || value === 'write') return value
  throw new PgqError('INVALID_OPTION', `search is ${show(value)}: it must be 'read' or 'write'`)
}

function basePathOption(value: unknown): string {
  if (typeof value === 'string' && value.startsWith('/') && !/[?#\s]/.test(value))
    return value.replace(/\/+$/, '')
  throw new PgqError(
    'INVALID_OPTION',
    `basePath is ${show(value)}: it must begin with a slash, as in '/admin/jobs'`,
  )
}
