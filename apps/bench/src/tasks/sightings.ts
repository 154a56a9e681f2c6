/** Remembers which jobs were handled: every one must be. */
export class Sightings {
  readonly #seen: Uint8Array
  #distinct = 0
  #total = 0

  constructor(jobs: number) {
    this.#seen = new Uint8Array(jobs)
  }

  /** How many different jobs were handled. */
  get distinct(): number {
    return this.#distinct
  }

  /** How many handlers ran for a job that had been handled before. */
  get repeated(): number {
    return this.#total - this.#distinct
  }

  add(n: number): void {
    this.#total++
    if (this.#seen[n] === 0) this.#distinct++
    this.#seen[n] = 1
  }
}
