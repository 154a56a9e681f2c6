/**
 * What a terminal acts upon rather than shows, and what turns text around: names and payloads come from anywhere, and must not
 * move the cursor, colour what follows, or pretend to be something else.
 */
// oxlint-disable-next-line no-control-regex -- these are what it is about
const ACTED_UPON = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
/** The same without those that JSON escapes by itself, and the line ends and blanks that structure it. */
const IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Text on one line, with everything that a terminal would act upon escaped. */
export const printable = (text: string): string =>
  text.replaceAll(ACTED_UPON, (char) => SHORT[char] ?? escaped(char))

/** The same for text of several lines, whose line ends stay. */
export const printableLines = (text: string): string => text.split(/\r?\n/).map(printable).join('\n')

/** JSON for people and programs, which no terminal acts upon. */
export const printableJson = (value: unknown, indent?: number): string =>
  escapeJson(JSON.stringify(value, undefined, indent) ?? 'null')

/** The same for JSON that somebody else has made. */
export const escapeJson = (json: string): string => json.replaceAll(IN_JSON, escaped)

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
