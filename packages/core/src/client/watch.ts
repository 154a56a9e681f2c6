import type { JobRecord } from '../job/job.ts'

/** One who watches one job. Of changes that come faster than they are looked at only the newest is kept. */
export class Watch {
  readonly id: string
  readonly intervalMs: number
  /** Which version was shown last: undefined before the first look, null when there was no such job. */
  version: string | null | undefined
  #unseen: JobRecord | undefined
  #isOver = false
  #failure: { readonly reason: unknown } | undefined
  #wake: () => void = () => {}

  constructor(id: string, intervalMs: number) {
    this.id = id
    this.intervalMs = intervalMs
  }

  /** The job has a new version; without a job it is gone. */
  show(version: string | null, job: JobRecord | undefined): void {
    this.version = version
    if (job) this.#unseen = job
    else this.#isOver = true
    this.#wake()
  }

  /** Ends the watch: nobody looks any more. */
  end(): void {
    this.#unseen = undefined
    this.#isOver = true
    this.#wake()
  }

  /** Ends the watch with an error. */
  fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#wake()
  }

  /** The job when it has changed; undefined when it is gone. */
  async next(): Promise<JobRecord | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure.reason
      const job = this.#unseen
      this.#unseen = undefined
      if (job || this.#isOver) return job
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
