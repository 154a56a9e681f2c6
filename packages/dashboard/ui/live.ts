import { useEffect, useState } from 'preact/hooks'
import type { WireQueue } from '../src/wire.ts'
import { addressOf } from './router.tsx'

/** What the server tells by itself. */
export interface Live {
  /** Undefined until the first word of it. */
  readonly queues: readonly WireQueue[] | undefined
  readonly isConnected: boolean
}

/** Listens to how the queues stand. */
export function useLive(): Live {
  const [live, setLive] = useState<Live>({ queues: undefined, isConnected: false })
  useEffect(() => {
    const source = new EventSource(addressOf('api/live'))
    source.addEventListener('queues', (event) =>
      setLive({ queues: JSON.parse(event.data as string) as WireQueue[], isConnected: true }),
    )
    source.addEventListener('error', () => setLive((old) => ({ ...old, isConnected: false })))
    return () => source.close()
  }, [])
  return live
}

/** Calls back whenever one job has changed. */
export function useJobChanges(id: string, onChange: () => void): void {
  useEffect(() => {
    const source = new EventSource(addressOf(`api/live?job=${encodeURIComponent(id)}`))
    source.addEventListener('job', onChange)
    return () => source.close()
  }, [id])
}
