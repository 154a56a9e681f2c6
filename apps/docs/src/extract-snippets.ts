/** A piece of TypeScript in a document, as a module that can be compiled. */
export interface Snippet {
  /** The line of the document that the block's fence is on, counted from 1. */
  readonly line: number
  /** Whether it must run, and not only compile. */
  readonly run: boolean
  /** The code, on the same lines as in the document, so that a compiler's complaint points at the right one. */
  readonly code: string
}

const opening = /^\s*```ts(?<words>(?: \w+)*)\s*$/
const closing = /^\s*```\s*$/

/**
 * Finds every block fenced as `ts`. Two words may follow: `run`, and `continued` for a block that goes on
 * where the one before it ended, so that a guide can tell its story piece by piece.
 */
export function extractSnippets(document: string): readonly Snippet[] {
  const lines = document.split('\n')
  const snippets: Snippet[] = []
  for (let index = 0; index < lines.length; index++) {
    const words = opening
      .exec(lines[index] ?? '')
      ?.groups?.['words']?.trim()
      .split(' ')
    if (!words) continue
    const line = index + 1
    const end = lines.findIndex((text, at) => at > index && closing.test(text))
    if (end < 0) throw new Error(`the block that begins on line ${line} does not end`)
    const before = words.includes('continued') ? previousCode(snippets, line) : []
    const code = lines.slice(0, end).map((text, at) => (at > index ? text : (before[at] ?? '')))
    snippets.push({ line, run: words.includes('run'), code: code.join('\n') })
    index = end
  }
  return snippets
}

function previousCode(snippets: readonly Snippet[], line: number): readonly string[] {
  const previous = snippets.at(-1)
  if (!previous) throw new Error(`the block that begins on line ${line} continues nothing`)
  return previous.code.split('\n')
}
