import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { messageOf } from '../api.ts'
import { notify } from './notices.tsx'

/** A thing to do, and what to ask before it is done. */
export interface Intent {
  readonly title: string
  readonly text: string
  /** What the button says. */
  readonly verb: string
  readonly isDangerous?: boolean
  /** Does it, and says what was done. */
  readonly run: () => Promise<string>
}

let ask = (_: Intent): void => {}

/** Asks, and does it if the answer is yes. */
export const confirmThen = (intent: Intent): void => ask(intent)

/** Does it without a question. */
export async function doNow(run: Intent['run']): Promise<void> {
  try {
    notify(await run())
  } catch (error) {
    notify(messageOf(error), true)
  }
}

/** The question. The browser keeps the focus in it, and Escape is no. */
export function Confirm(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const [intent, setIntent] = useState<Intent>()
  const [isBusy, setBusy] = useState(false)
  useEffect(() => {
    ask = setIntent
  }, [])
  useEffect(() => {
    if (intent) dialog.current?.showModal()
  }, [intent])
  const close = (): void => {
    dialog.current?.close()
    setIntent(undefined)
  }
  const confirm = async (): Promise<void> => {
    if (!intent) return
    setBusy(true)
    await doNow(intent.run)
    setBusy(false)
    close()
  }
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="confirm-title" onClose={() => setIntent(undefined)}>
      {intent && (
        <>
          <h2 id="confirm-title">{intent.title}</h2>
          <p>{intent.text}</p>
          <div class="row end">
            <button type="button" class="button" onClick={close} disabled={isBusy}>
              Keep as is
            </button>
            <button
              type="button"
              class={intent.isDangerous ? 'button danger' : 'button primary'}
              onClick={() => void confirm()}
              disabled={isBusy}
            >
              {isBusy ? 'Working…' : intent.verb}
            </button>
          </div>
        </>
      )}
    </dialog>
  )
}
