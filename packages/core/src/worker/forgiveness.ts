/** How often in a row a job is forgiven in one process. */
const TIMES = 5
/** How many jobs are kept in mind; beyond that all are forgiven anew. */
const LIMIT = 10_000

/**
 * Counts what a job is not to blame for, such as a connection that broke under its transaction. Once or twice, that is an
 * outage. A job to which it happens each time would be run for ever, free of charge: something cuts connections that wait as
 * long as its handler does, and the attempts must count.
 */
export class Forgiveness {
  readonly #times = new Map<string, number>()

  /** Whether the job is forgiven once more. */
  ask(jobId: string): boolean {
    if (this.#times.size >= LIMIT) this.#times.clear()
    const times = (this.#times.get(jobId) ?? 0) + 1
    this.#times.set(jobId, times)
    return times <= TIMES
  }

  /** Forgets a job whose attempt went well. */
  forget(jobId: string): void {
    this.#times.delete(jobId)
  }
}
