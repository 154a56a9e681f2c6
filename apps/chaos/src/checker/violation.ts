import type { Timeline } from './timeline.ts'

/** Something that must not be. */
export interface Violation {
  readonly invariant: string
  readonly message: string
  /** The job that shows it, if it is about one. */
  readonly job?: string
}

/** What a check says of a history, without the name of the invariant. */
export type Finding = Omit<Violation, 'invariant'>

/** One thing that must hold of every history. */
export interface Invariant {
  /** Where the catalogue of the research has it. */
  readonly code: string
  readonly promise: string
  readonly check: (timeline: Timeline) => Iterable<Finding>
}

/** The clocks of the server and of the clients are the same, but a process may be kept from writing down at once what happened. In ms. */
export const SLACK_MS = 250
