import type { Pgq } from '@pgq/core'
import type { Grant } from './access.ts'
import type { DashboardSettings } from './dashboard-options.ts'
import type { LiveFeed } from './live-feed.ts'

/** One request that was let in, and what answers it. */
export interface Visit {
  readonly pgq: Pgq
  readonly settings: Pick<DashboardSettings<never>, 'redact' | 'isRedacting' | 'isSearchOpen' | 'audit'>
  readonly feed: LiveFeed
  readonly grant: Grant
  readonly request: Request
  readonly url: URL
  /** Aborts when the dashboard is closed. */
  readonly closed: AbortSignal
  /** The variable parts of the path, decoded. */
  readonly parts: readonly string[]
}
