import type { Tasks } from '../tasks/tasks.ts'

/** What a contestant's process is told: one thing at a time. */
export type Request =
  | { readonly id: number; readonly do: 'open'; readonly url: string }
  | { readonly id: number; readonly do: 'close' }
  | { readonly id: number; readonly do: 'task'; readonly task: keyof Tasks; readonly options: unknown }

/** What it answers. */
export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
