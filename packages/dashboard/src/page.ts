import type { Asset } from './assets.ts'
import type { Grant } from './access.ts'

/** What the page says to its script. */
interface PageContent {
  readonly title: string
  readonly grant: Grant
  /** Whether it may be searched for what is in payloads and errors. */
  readonly maySearch: boolean
  readonly script: Asset
  readonly style: Asset
  /** How many folders deep the page is within the dashboard. */
  readonly depth: number
}

/**
 * The one page, which the script then fills. Every address in it is relative, so it works wherever the dashboard is mounted, also behind a
 * proxy that takes a part of the path away.
 */
export function page({ title, grant, maySearch, script, style, depth }: PageContent): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta name="pgq-access" content="${grant.access}">
<meta name="pgq-search" content="${maySearch}">
<meta name="pgq-actor" content="${escapeHtml(grant.actor ?? '')}">
<base href="${depth === 0 ? './' : '../'.repeat(depth)}">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${style.path}">
<script type="module" src="${script.path}"></script>
</head>
<body><div id="app"></div><noscript>This dashboard needs JavaScript.</noscript></body>
</html>
`
}

/** What somebody sees who may see nothing. */
export const refusalPage = (title: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
</head>
<body><h1>${escapeHtml(title)}</h1><p>You may not see this.</p></body>
</html>
`

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text that may stand in an element or an attribute. */
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (found) => ENTITIES[found] ?? '')
