import type { Screen } from './screen.ts'

/** Shows the same thing again and again. */
export interface Redrawing {
  show(value: unknown, text: () => string): void
  /** Leaves the last of it behind; later calls do nothing. */
  readonly end: () => void
}

/** A screen of its own, without a cursor, and lines that are too long end at its edge. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l'
/** To the top left corner; each line clears what was to its right, and the last one what was below. */
const HOME = '\u001b[H'
const CLEAR_RIGHT = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** At a terminal on a screen of its own, which is gone in the end; elsewhere, and as JSON, one after the other. */
export function redrawing(screen: Screen): Redrawing {
  if (screen.json || !process.stdout.isTTY)
    return { show: (value, text) => screen.answerLine(value, () => `${text()}\n`), end: () => {} }
  let last = nothing
  let isOver = false
  const draw = (): void => {
    const lines = last().split('\n').slice(0, process.stdout.rows)
    process.stdout.write(`${HOME}${lines.join(`${CLEAR_RIGHT}\n`)}${CLEAR_RIGHT}${CLEAR_BELOW}`)
  }
  process.stdout.write(ENTER)
  process.stdout.on('resize', draw)
  // Whatever ends the process, the terminal is left as it was.
  process.once('exit', leave)
  return {
    show: (_, text) => {
      last = text
      if (!isOver) draw()
    },
    end: () => {
      if (isOver) return
      isOver = true
      process.off('exit', leave)
      process.stdout.off('resize', draw)
      leave()
      // What was seen last stays, among what else was typed.
      process.stdout.write(`${last()}\n`)
    },
  }
}

const nothing = (): string => ''
const leave = (): void => void process.stdout.write(LEAVE)
