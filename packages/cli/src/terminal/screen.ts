import { createInterface } from 'node:readline/promises'
import type { WriteStream } from 'node:tty'
import pc from 'picocolors'
import { printableJson } from './printable.ts'
import { ProgressLine } from './progress-line.ts'
import { type Column, table } from './table.ts'
import { wrap } from './wrap.ts'

/** How to show things. */
export interface ScreenOptions {
  /** For programs: one JSON value to stdout, nothing else. */
  readonly json: boolean
  /** False: never. Otherwise at a terminal, unless NO_COLOR says no or FORCE_COLOR says always. */
  readonly color: boolean
  /** Whether everything is confirmed beforehand. */
  readonly yes: boolean
}

/** Wide enough for everything, where nothing wraps. */
const ENDLESS = 10_000

/** Where a command shows its answer (stdout), and what it has to say besides (stderr). */
export class Screen {
  readonly json: boolean
  readonly color: ReturnType<typeof pc.createColors>
  readonly #yes: boolean

  constructor({ json, color, yes }: ScreenOptions) {
    this.json = json
    this.#yes = yes
    this.color = pc.createColors(color && isColourful(process.stdout))
  }

  /** The answer: the value for programs, or the text for people. */
  answer(value: unknown, text: () => string): void {
    process.stdout.write(`${this.json ? printableJson(value, 2) : text()}\n`)
  }

  /** One of many answers that follow each other: JSON on a line of its own. */
  answerLine(value: unknown, text: () => string): void {
    process.stdout.write(`${this.json ? printableJson(value) : text()}\n`)
  }

  /** Something for people that is not the answer. */
  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  /** Lines of columns, as wide as the terminal. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
    return table(columns, rows, { width: this.width, title: this.color.dim })
  }

  /** Text in lines that fit between `left` blanks and the edge; those after the first begin with the blanks. */
  wrap(text: string, left = 0): string {
    return wrap(text, this.width - left).join(`\n${' '.repeat(left)}`)
  }

  /** How many characters fit on a line. */
  get width(): number {
    return process.stdout.isTTY ? process.stdout.columns : ENDLESS
  }

  /** Shows how far long work is, if somebody watches. */
  progress(what: string, total?: number): ProgressLine {
    return new ProgressLine(terminalOf(process.stderr), what, total)
  }

  /** Shows that `work` goes on for as long as it does. */
  async during<T>(what: string, work: Promise<T>): Promise<T> {
    const line = this.progress(what)
    try {
      return await work
    } finally {
      line.end()
    }
  }

  /** Asks, unless --yes has answered. Nobody is there to be asked without a terminal: then the answer is no. */
  async confirm(question: string): Promise<boolean> {
    if (this.#yes) return true
    if (!process.stdin.isTTY || !process.stderr.isTTY) {
      this.note('Nobody is here to confirm it: give --yes if it is meant.')
      return false
    }
    const line = createInterface({ input: process.stdin, output: process.stderr })
    // Ctrl-C and Ctrl-D are answers too.
    const gone = new Promise<string>((resolve) => line.once('close', () => resolve('')))
    try {
      const answer = await Promise.race([line.question(`${question} [y/N] `), gone])
      return /^(y|yes)$/i.test(answer.trim())
    } finally {
      line.close()
    }
  }
}

/** See https://no-color.org and https://force-color.org: set and not empty counts. */
function isColourful(stream: { readonly isTTY?: boolean }): boolean {
  if (process.env['NO_COLOR']) return false
  if (process.env['FORCE_COLOR']) return true
  // Undefined would leave it to the library, and that has colours in CI.
  return stream.isTTY === true && process.env['TERM'] !== 'dumb'
}

const terminalOf = (stream: WriteStream): WriteStream | undefined =>
  stream.isTTY && process.env['TERM'] !== 'dumb' ? stream : undefined
