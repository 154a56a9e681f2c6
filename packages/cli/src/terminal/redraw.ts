import type { Screen } from './screen.ts'

/** Shows the same thing again and again. */
export interface Redrawing {
  show(value: unknown, text: () => string): void
  end(): void
}

const OTHER_SCREEN = '\u001b[?1049h\u001b[?25l'
const BACK = '\u001b[?25h\u001b[?1049l'
/** To the top left corner; each line clears what was to its right, and the last one what was below. */
const HOME = '\u001b[H'
const CLEAR_RIGHT = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** At a terminal on a screen of its own, which is gone in the end; elsewhere, and as JSON, one after the other. */
export function redrawing(screen: Screen): Redrawing {
  if (screen.json || !process.stdout.isTTY)
    return { show: (value, text) => screen.answerLine(value, () => `${text()}\n`), end: () => {} }
  let last = ''
  process.stdout.write(OTHER_SCREEN)
  // Whatever ends the process, the terminal is left as it was.
  process.once('exit', restore)
  return {
    show: (_, text) => {
      last = text()
      const lines = last.split('\n').slice(0, process.stdout.rows)
      process.stdout.write(`${HOME}${lines.join(`${CLEAR_RIGHT}\n`)}${CLEAR_RIGHT}${CLEAR_BELOW}`)
    },
    end: () => {
      process.off('exit', restore)
      // What was seen last stays, among what else was typed.
      process.stdout.write(`${BACK}${last}\n`)
    },
  }
}

const restore = (): void => void process.stdout.write(BACK)
