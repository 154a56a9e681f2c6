import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** The dashboard's own address, wherever it is mounted. It is taken once: the page's `base` is relative, and moves with its address. */
const root = new URL('.', document.baseURI).pathname

/** A place within the dashboard. */
export interface Place {
  /** Without a slash in front. */
  readonly path: string
  /** Its parts, decoded. */
  readonly parts: readonly string[]
  readonly search: URLSearchParams
}

/** An absolute address of something within the dashboard. */
export const addressOf = (path: string): string => root + path

function here(): Place {
  const path = location.pathname.slice(root.length)
  return { path, parts: path.split('/').map(decoded), search: new URLSearchParams(location.search) }
}

/** What is no proper encoding stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

const listeners = new Set<() => void>()
const tell = (): void => {
  for (const listener of listeners) listener()
}
addEventListener('popstate', tell)

/** Goes somewhere: a new entry of the history, or in place of the current one. */
export function go(path: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, '', addressOf(path))
  else history.pushState(null, '', addressOf(path))
  tell()
}

/** Where we are. */
export function usePlace(): Place {
  const [place, setPlace] = useState(here)
  useEffect(() => {
    const listener = (): void => setPlace(here())
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }, [])
  return place
}

/** What a link is made of. */
interface LinkProps {
  readonly to: string
  readonly children: ComponentChildren
  readonly class?: string
  readonly title?: string
  readonly 'aria-current'?: 'page' | undefined
}

/** A link within the dashboard. Whoever asks for a new tab gets one. */
export function Link({ to, children, ...rest }: LinkProps): JSX.Element {
  const onClick = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    go(to)
  }
  return (
    <a {...rest} href={addressOf(to)} onClick={onClick}>
      {children}
    </a>
  )
}

/** The address of the jobs that a filter means. */
export const jobsPath = (filter: Readonly<Record<string, string | undefined>>): string => {
  const given = Object.entries(filter).filter((pair): pair is [string, string] => !!pair[1])
  return given.length === 0 ? 'jobs' : `jobs?${new URLSearchParams(given)}`
}
export const jobPath = (id: string): string => `jobs/${encodeURIComponent(id)}`
/** The name is no part of the path: it may be anything, `..` as well, and some proxies refuse an encoded slash. */
export const queuePath = (name: string): string => `queue?${new URLSearchParams({ name })}`
