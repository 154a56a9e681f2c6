import type { WriteStream } from 'node:tty'
import { cut } from './table.ts'
import { count, duration } from './quantities.ts'

/** Work that is over sooner is not worth a line, in ms. */
const PATIENCE_MS = 300
const REDRAW_MS = 100
const BAR = 24

/** One line that says how far long work is, at a terminal only, and is gone when it is over. */
export class ProgressLine {
  readonly #stream: WriteStream | undefined
  readonly #what: string
  readonly #total: number | undefined
  readonly #began = performance.now()
  readonly #timer: NodeJS.Timeout
  #done = 0
  #shown = false

  /**
   * @param stream where to draw; nothing is drawn without one
   * @param total how much there is to do; without it the line says only for how long it has been going on
   */
  constructor(stream: WriteStream | undefined, what: string, total?: number) {
    this.#stream = stream
    this.#what = what
    this.#total = total
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS)
    this.#timer.unref()
  }

  /** So much is done. */
  set done(done: number) {
    this.#done = done
  }

  get done(): number {
    return this.#done
  }

  /** Takes the line away. */
  end(): void {
    clearInterval(this.#timer)
    if (this.#shown) this.#stream?.write('\r\u001b[K')
  }

  #draw(): void {
    const elapsed = performance.now() - this.#began
    if (!this.#stream || elapsed < PATIENCE_MS) return
    this.#shown = true
    this.#stream.write(`\r${cut(this.#text(elapsed), this.#stream.columns - 1)}\u001b[K`)
  }

  #text(elapsed: number): string {
    if (this.#total === undefined || this.#total === 0) return `${this.#what} … ${duration(elapsed)}`
    const share = Math.min(1, this.#done / this.#total)
    const bar = '█'.repeat(Math.round(share * BAR)).padEnd(BAR, '░')
    const left = share > 0 && share < 1 ? `, ${duration((elapsed / share) * (1 - share))} left` : ''
    return `${this.#what} ${bar} ${Math.floor(share * 100)}%  ${count(this.#done)} of ${count(this.#total)}${left}`
  }
}
