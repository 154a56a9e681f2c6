import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'

interface Notice {
  readonly id: number
  readonly text: string
  readonly isError: boolean
}

const SHOWN_MS = 6_000
let nextId = 1
let notices: readonly Notice[] = []
let changed = (): void => {}

/** Says something in passing. */
export function notify(text: string, isError = false): void {
  const notice = { id: nextId++, text, isError }
  notices = [...notices.slice(-2), notice]
  changed()
  setTimeout(() => {
    notices = notices.filter((one) => one !== notice)
    changed()
  }, SHOWN_MS)
}

/** What was said of late; read aloud as well. */
export function Notices(): JSX.Element {
  const [, setRound] = useState(0)
  useEffect(() => {
    changed = () => setRound((n) => n + 1)
  }, [])
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.map(({ id, text, isError }) => (
        <p key={id} class={isError ? 'notice notice-error' : 'notice'}>
          {text}
        </p>
      ))}
    </div>
  )
}
