import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { instant, relative } from '../format.ts'

/** The time, every few seconds. */
export function useNow(everyMs = 5_000): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}

/** A moment, as how long ago it was; the exact one is its title. */
export function When({ at }: { readonly at: number | null }): JSX.Element {
  const now = useNow()
  if (at === null) return <span class="faint">–</span>
  return (
    <time dateTime={new Date(at).toISOString()} title={instant(at)}>
      {relative(at, now)}
    </time>
  )
}
