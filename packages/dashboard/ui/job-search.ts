import { useEffect, useRef, useState } from 'preact/hooks'
import type { WireJobPage, WireJobSummary } from '../src/wire.ts'
import { get, messageOf } from './api.ts'

/** While somebody looks at the first page, it is asked for again every so many ms. */
const REFRESH_MS = 4_000
/** How many jobs make a page. */
const PAGE = 50
/** Where matches are rare, one click looks back so many times, each for some 0.4 s. */
const MOST_ROUNDS = 12

/** What was found so far. */
export interface Found {
  readonly jobs: readonly WireJobSummary[]
  /** Where to look on; null when all was looked at. */
  readonly cursor: string | null
  /** How many jobs were looked at. */
  readonly looked: number
  /** Whether looking ended because there was a page of them. */
  readonly isFull: boolean
}

/** A search, and what can be done with it. */
export interface Search {
  readonly found: Found | undefined
  readonly error: string | undefined
  readonly isBusy: boolean
  /** Looks on where it has ended. */
  readonly more: () => void
  /** Looks again, from the newest on. */
  readonly refresh: () => void
}

const NOTHING: Found = { jobs: [], cursor: null, looked: 0, isFull: false }

interface State {
  readonly query: string
  readonly found?: Found
  readonly error?: string
}

/** Looks for jobs. The first page keeps itself up to date, unless it took long. */
export function useJobSearch(query: string): Search {
  const [state, setState] = useState<State>({ query })
  const [isBusy, setBusy] = useState(true)
  const running = useRef(new AbortController())
  const run = async (from: Found, isQuiet: boolean): Promise<void> => {
    running.current.abort()
    const { signal } = (running.current = new AbortController())
    if (!isQuiet) setBusy(true)
    try {
      await lookBack({ query, from, signal, isQuiet, onFound: (found) => setState({ query, found }) })
    } catch (error) {
      if (!signal.aborted)
        setState((old) => ({ ...(old.query === query ? old : { query }), error: messageOf(error) }))
    }
    if (!signal.aborted) setBusy(false)
  }
  useEffect(() => {
    void run(NOTHING, false)
    return () => running.current.abort()
  }, [query])
  const found = state.query === query ? state.found : undefined
  const isQuick =
    !isBusy && found !== undefined && found.jobs.length <= PAGE && (found.isFull || found.cursor === null)
  useEffect(() => {
    if (!isQuick) return undefined
    const timer = setInterval(() => !document.hidden && void run(NOTHING, true), REFRESH_MS)
    return () => clearInterval(timer)
  }, [query, isQuick])
  return {
    found,
    error: state.query === query ? state.error : undefined,
    isBusy,
    more: () => void run(found ?? NOTHING, false),
    refresh: () => void run(NOTHING, false),
  }
}

/** Looks back until there is another page of them, or all was looked at, or it has been long enough. A quiet look shows nothing before its end. */
async function lookBack(look: {
  readonly query: string
  readonly from: Found
  readonly signal: AbortSignal
  readonly isQuiet: boolean
  readonly onFound: (found: Found) => void
}): Promise<void> {
  const { query, from, signal, isQuiet, onFound } = look
  const enough = from.jobs.length + PAGE
  let found = from
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const cursor = found.cursor === null ? '' : `&cursor=${found.cursor}`
    const page = await get<WireJobPage>(`jobs?${query}${cursor}`, signal)
    const jobs = [...found.jobs, ...page.jobs]
    const isFull = page.cursor !== null && jobs.length >= enough
    found = { jobs, cursor: page.cursor, looked: found.looked + page.looked, isFull }
    const isOver = isFull || page.cursor === null
    if (isOver || !isQuiet) onFound(found)
    if (isOver) return
  }
}
