import type { JSX } from 'preact'
import { notify } from './notices.tsx'

/** Text as it is, to read and to copy. */
export function CodeBlock({ label, text }: { readonly label: string; readonly text: string }): JSX.Element {
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text)
    notify(`${label} copied.`)
  }
  return (
    <div class="code">
      {/* It scrolls, so it takes the focus. */}
      <pre tabIndex={0} aria-label={label}>
        <code>{text}</code>
      </pre>
      {navigator.clipboard && (
        <button
          type="button"
          class="copy"
          onClick={() => void copy()}
          aria-label={`Copy ${label.toLowerCase()}`}
        >
          Copy
        </button>
      )}
    </div>
  )
}
