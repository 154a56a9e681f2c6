import { useEffect, useRef, useState } from 'preact/hooks'
import type { WireProblem, WireProgress } from '../src/wire.ts'
import { addressOf } from './router.tsx'

/** Asks the server. Rejects with what it says went wrong. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answerOf(await fetch(addressOf(`api/${path}`), { ...(signal && { signal }) }))
}

/** Has the server do something. The header says that it was us. What takes long tells how many jobs it has changed so far. */
export async function post<T extends object>(
  path: string,
  body: unknown,
  {
    signal,
    onProgress,
  }: { readonly signal?: AbortSignal; readonly onProgress?: (jobs: number) => void } = {},
): Promise<T> {
  const headers = { 'Content-Type': 'application/json', 'X-Pgq-Dashboard': '1' }
  const init = { method: 'POST', headers, body: JSON.stringify(body), ...(signal && { signal }) }
  const response = await fetch(addressOf(`api/${path}`), init)
  if (!response.headers.get('content-type')?.startsWith('application/x-ndjson')) return answerOf(response)
  const last = await lastLine<T>(response, onProgress)
  if (last === undefined) throw new Error('The server went away. Some of it may be done.')
  if ('title' in last) throw new Error(last.title)
  return last
}

/** Reads lines of JSON: those that say how far it is, and the last. */
async function lastLine<T extends object>(
  { body }: Response,
  onProgress: ((jobs: number) => void) | undefined,
): Promise<T | WireProblem | undefined> {
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    const lines = (rest + part.value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const said = JSON.parse(line) as WireProgress | T | WireProblem
      if (!isProgress(said)) return said
      onProgress?.(said.soFar)
    }
  }
  return undefined
}

const isProgress = (said: object): said is WireProgress => 'soFar' in said

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
