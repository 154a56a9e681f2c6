import type { JSX } from 'preact'

const PATHS = {
  queues: 'M3 4.5h12M3 9h12M3 13.5h7',
  jobs: 'M4 3.5h10a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1ZM6 7h6M6 10.5h4',
  dead: 'M9 2.5 16 15H2L9 2.5ZM9 7v3.5M9 12.8v.1',
  schedules: 'M9 2.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM9 5.5V9l2.5 1.5',
  workers: 'M3.5 3.5h11v4h-11zM3.5 10.5h11v4h-11zM6 5.5h.1M6 12.5h.1',
  sun: 'M9 6a3 3 0 1 1 0 6 3 3 0 0 1 0-6ZM9 2v1M9 15v1M2 9h1M15 9h1M4 4l.8.8M13.2 13.2l.8.8M4 14l.8-.8M13.2 4.8 14 4',
  moon: 'M14.5 10.8A6 6 0 0 1 7.2 3.5a6 6 0 1 0 7.3 7.3Z',
  search: 'M8 3.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9ZM11.3 11.3 15 15',
  pause: 'M6.5 4.5v9M11.5 4.5v9',
  play: 'M6 4l8 5-8 5V4Z',
  back: 'M10.5 4.5 6 9l4.5 4.5',
} as const

/** A line drawing that says nothing by itself: a word stands beside it, or on its button. */
export function Icon({ name }: { readonly name: keyof typeof PATHS }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 18 18" width="18" height="18" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}
