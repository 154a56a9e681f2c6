import { MultiBar, type SingleBar } from 'cli-progress'
import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import { finished, type Progress } from './progress.ts'
import type { Screen, Tone } from './screen.ts'

const STYLES = { title: 'bold', good: 'green', bad: 'red' } as const

/** For people at a terminal: a bar, and above it the lines of what happened. */
export class TerminalScreen implements Screen {
  readonly #stream: WriteStream
  readonly #bars: MultiBar
  #bar: SingleBar | undefined

  constructor(stream: WriteStream) {
    this.#stream = stream
    this.#bars = new MultiBar({
      stream,
      format:
        '{bar} {percentage}%  {running} running, {waiting} waiting, {failed} to be retried, {dead} dead',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 30,
      hideCursor: true,
      linewrap: false,
      clearOnComplete: true,
      gracefulExit: false, // the demo has a way of its own to end on Ctrl-C
    })
  }

  say(line: string, tone?: Tone): void {
    const text = `${tone && !process.env['NO_COLOR'] ? styleText(STYLES[tone], line) : line}\n`
    if (this.#bar) this.#bars.log(text)
    else this.#stream.write(text)
  }

  show(progress: Progress): void {
    this.#bar ??= this.#bars.create(progress.webhooks, 0, progress)
    // A webhook that was rolled back is done with as well.
    this.#bar.update(finished(progress) + progress.rolledBack, progress)
  }

  endProgress(): void {
    if (!this.#bar) return
    this.#bars.update() // writes the lines that wait for the next redraw
    this.#bars.stop()
    this.#bar = undefined
  }
}
