import type { JSX } from 'preact'

const LABELS: Readonly<Record<string, string>> = {
  pending: 'Pending',
  processing: 'Running',
  failed: 'Retrying',
  completed: 'Completed',
  dead: 'Dead',
  cancelled: 'Cancelled',
}

/** What a status is called. */
export const statusLabel = (status: string): string => LABELS[status] ?? status

/** A status, told by a word first and a colour second. */
export function Status({ of }: { readonly of: string }): JSX.Element {
  return (
    <span class={`status status-${of}`}>
      <span class="dot" aria-hidden="true" />
      {statusLabel(of)}
    </span>
  )
}
