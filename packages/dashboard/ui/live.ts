import { useEffect, useState } from 'preact/hooks'
import type { WireQueue } from '../src/wire.ts'
import { addressOf } from './router.tsx'

/** What the server tells by itself. */
export interface Live {
  /** Undefined until the first word of it. */
  readonly queues: readonly WireQueue[] | undefined
  readonly isConnected: boolean
}

/** When the server has refused: how long until it is asked again, in ms. */
const ASK_AGAIN_MS = 5_000

const jobListeners = new Set<() => void>()

/**
 * Listens to how the queues stand, and to one job. It is one connection for all of the page, and none while nobody can see it: a browser
 * has six of them for all of its tabs.
 */
export function useLive(jobId: string | undefined): Live {
  const [live, setLive] = useState<Live>({ queues: undefined, isConnected: false })
  const [round, setRound] = useState(0)
  const isVisible = useVisibility()
  useEffect(() => {
    if (!isVisible) return undefined
    const job = jobId === undefined ? '' : `?job=${encodeURIComponent(jobId)}`
    const source = new EventSource(addressOf(`api/live${job}`))
    let again: ReturnType<typeof setTimeout> | undefined
    source.addEventListener('queues', (event) =>
      setLive({ queues: JSON.parse(event.data as string) as WireQueue[], isConnected: true }),
    )
    source.addEventListener('trouble', () => setLive((old) => ({ ...old, isConnected: false })))
    source.addEventListener('job', () => jobListeners.forEach((listener) => listener()))
    source.addEventListener('error', () => {
      setLive((old) => ({ ...old, isConnected: false }))
      // The browser connects again by itself, but not after a refusal.
      if (source.readyState === EventSource.CLOSED)
        again = setTimeout(() => setRound((n) => n + 1), ASK_AGAIN_MS)
    })
    return () => {
      source.close()
      clearTimeout(again)
    }
  }, [jobId, round, isVisible])
  return live
}

/** Calls back whenever the job of this page has changed. */
export function useJobChanges(onChange: () => void): void {
  useEffect(() => {
    jobListeners.add(onChange)
    return () => void jobListeners.delete(onChange)
  }, [onChange])
}

function useVisibility(): boolean {
  const [isVisible, setVisible] = useState(!document.hidden)
  useEffect(() => {
    const onChange = (): void => setVisible(!document.hidden)
    document.addEventListener('visibilitychange', onChange)
    return () => document.removeEventListener('visibilitychange', onChange)
  }, [])
  return isVisible
}
