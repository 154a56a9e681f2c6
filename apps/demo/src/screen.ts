import type { Progress } from './progress.ts'

/** What a line means, for a screen that has colours. */
export type Tone = 'title' | 'good' | 'bad'

/** Where a run is watched. */
export interface Screen {
  /** Tells what happens, on a line that stays. */
  say(line: string, tone?: Tone): void
  /** Shows how far the run is. */
  show(progress: Progress): void
  /** Ends the showing of progress; what is said after that is an ordinary line. */
  endProgress(): void
}

/** For programs, which read the result alone. */
export const silentScreen: Screen = { say: () => {}, show: () => {}, endProgress: () => {} }
