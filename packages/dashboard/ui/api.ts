import { useEffect, useRef, useState } from 'preact/hooks'
import type { WireProblem } from '../src/wire.ts'
import { addressOf } from './router.tsx'

/** Asks the server. Rejects with what it says went wrong. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answerOf(await fetch(addressOf(`api/${path}`), { ...(signal && { signal }) }))
}

/** Has the server do something. The header says that it was us. */
export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  const headers = { 'Content-Type': 'application/json', 'X-Pgq-Dashboard': '1' }
  return answerOf(
    await fetch(addressOf(`api/${path}`), { method: 'POST', headers, body: JSON.stringify(body) }),
  )
}

async function answerOf<T>(response: Response): Promise<T> {
  const isOurs = response.headers.get('content-type')?.startsWith('application/json') ?? false
  if (response.ok && isOurs) return (await response.json()) as T
  const said = (await response.json().catch(() => undefined)) as WireProblem | undefined
  // A login page in place of an answer, for example.
  throw new Error(said?.title ?? `The server gave no answer (${response.status}). Are you still logged in?`)
}

/** What was asked for. */
export interface Asked<T> {
  readonly data: T | undefined
  readonly error: string | undefined
  /** Asks again. */
  readonly refresh: () => void
}

/** Asks for something, again when the path changes, and every so many ms. What was there stays until the answer is. */
export function useAsked<T>(path: string, everyMs?: number): Asked<T> {
  const [state, setState] = useState<{ path: string; data?: T; error?: string }>({ path })
  const [round, setRound] = useState(0)
  const asked = useRef(path)
  asked.current = path
  useEffect(() => {
    const left = new AbortController()
    get<T>(path, left.signal).then(
      (data) => setState({ path, data }),
      (error: unknown) => {
        if (!left.signal.aborted)
          setState((old) => ({ ...(old.path === path ? old : { path }), error: messageOf(error) }))
      },
    )
    return () => left.abort()
  }, [path, round])
  useEffect(() => {
    if (everyMs === undefined) return undefined
    const timer = setInterval(() => !document.hidden && setRound((n) => n + 1), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  const isCurrent = state.path === path
  return {
    data: isCurrent ? state.data : undefined,
    error: isCurrent ? state.error : undefined,
    refresh: () => setRound((n) => n + 1),
  }
}

/** The message of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
