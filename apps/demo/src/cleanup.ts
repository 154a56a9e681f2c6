/** What has to be undone at the end: the last thing first, and each of them even if another one fails. */
export class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = []

  /** Remembers a step. Call it before or right after what it undoes. */
  add(step: () => Promise<unknown>): void {
    this.#steps.push(step)
  }

  /** Does it. Nothing is thrown: the result of the run, or its error, matters more. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).toReversed()) {
      await step().catch((error: unknown) => console.error('While cleaning up:', error))
    }
  }
}
