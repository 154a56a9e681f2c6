/** Statements that would end the transaction, or begin another one inside it. `ROLLBACK TO SAVEPOINT` is no such one. */
const ENDS_IT =
  /^\s*(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b/i
/** Nearly every query has none of these words, and needs no closer look. */
const SUSPECT = /\b(?:begin|start|commit|end|abort|prepare|rollback)\b/i
/** What is not SQL by itself: comments, strings, quoted names, dollar quotes. */
const INERT =
  /--[^\n]*|\/\*[\s\S]*?\*\/|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>[A-Za-z_]*\w*)\$[\s\S]*?\$\k<tag>\$/g

/** Whether a text, of one statement or of several, would end the transaction that it is sent in. */
export function endsTransaction(text: string): boolean {
  if (!SUSPECT.test(text)) return false
  return text
    .replaceAll(INERT, ' ')
    .split(';')
    .some((statement) => ENDS_IT.test(statement))
}
