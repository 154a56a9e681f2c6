import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { messageOf } from '../api.ts'
import { jobs } from '../format.ts'
import { notify } from './notices.tsx'

/** What is told while something is done. */
interface Doing {
  /** Aborts when it shall stop. */
  readonly signal: AbortSignal
  readonly onProgress: (jobs: number) => void
}

/** A thing to do, and what to ask before it is done. */
export interface Intent {
  readonly title: string
  readonly text: string
  /** What the button says. */
  readonly verb: string
  readonly isDangerous?: boolean
  /** Does it, and says what was done. */
  readonly run: (doing: Doing) => Promise<string>
}

let ask: (intent: Intent) => void = () => {}

/** Asks, and does it if the answer is yes. */
export const confirmThen = (intent: Intent): void => ask(intent)

/** Does it without a question. */
export async function doNow(run: () => Promise<string>): Promise<void> {
  try {
    notify(await run())
  } catch (error) {
    notify(messageOf(error), true)
  }
}

/** The question. The browser keeps the focus in it, and Escape is no; once it is being done, it is stop. */
export function Confirm(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const [intent, setIntent] = useState<Intent>()
  const [soFar, setSoFar] = useState<number>()
  const doing = useRef<AbortController | undefined>(undefined)
  useEffect(() => {
    ask = setIntent
  }, [])
  useEffect(() => {
    if (intent) dialog.current?.showModal()
  }, [intent])
  const close = (): void => dialog.current?.close()
  const onClose = (): void => {
    doing.current?.abort(new Error('Stopped. What was done until then stays done.'))
    doing.current = undefined
    setIntent(undefined)
    setSoFar(undefined)
  }
  const confirm = async (): Promise<void> => {
    if (!intent) return
    const controller = (doing.current = new AbortController())
    setSoFar(0)
    await doNow(() => intent.run({ signal: controller.signal, onProgress: setSoFar }))
    if (doing.current !== controller) return
    doing.current = undefined
    close()
  }
  const isBusy = soFar !== undefined
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="confirm-title" onClose={onClose}>
      {intent && (
        <>
          <h2 id="confirm-title">{intent.title}</h2>
          <p role={isBusy ? 'status' : undefined}>{isBusy ? doingText(soFar) : intent.text}</p>
          <div class="row end">
            <button type="button" class="button" onClick={close}>
              {isBusy ? 'Stop' : 'Keep as is'}
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

const doingText = (soFar = 0): string => (soFar === 0 ? 'Working…' : `${jobs(soFar)} so far.`)
