import type { Writable } from 'node:stream'
import type { Progress } from './progress.ts'
import type { Screen } from './screen.ts'

/** How often progress is worth a line, in ms. */
const EVERY_MS = 1_000

/** For pipes and files: plain lines, of progress one a second. */
export class PlainScreen implements Screen {
  readonly #stream: Writable
  #shownMs: number | undefined

  constructor(stream: Writable) {
    this.#stream = stream
  }

  say(line: string): void {
    this.#stream.write(`${line}\n`)
  }

  show(progress: Progress): void {
    this.#shownMs ??= performance.now() // at the very beginning there is nothing to tell
    if (performance.now() - this.#shownMs < EVERY_MS) return
    this.#shownMs = performance.now()
    this.say(describe(progress))
  }

  endProgress(): void {}
}

function describe({ committed, rolledBack, completed, running, waiting, failed, dead }: Progress): string {
  const stored = `${committed} webhooks stored, ${rolledBack} rolled back`
  const jobs = `${waiting} waiting, ${running} running, ${failed} to be retried, ${completed} completed, ${dead} dead`
  return `  ${stored}; jobs: ${jobs}`
}
