import stringWidth from 'string-width'
import { printable } from './printable.ts'

/** A column of a table. */
export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string
  /** @default left */
  readonly align?: 'left' | 'right'
  /** Colours a finished cell. */
  readonly style?: (cell: string, row: Row) => string
  /** May be cut off where the terminal is too narrow. @default false */
  readonly shrinks?: boolean
}

const GAP = '  '
/** A column that shrinks keeps so many characters. */
const NARROWEST = 10

/** Lines of aligned columns under their titles; no line is wider than `width`, as far as columns may shrink. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width, title }: { readonly width: number; readonly title: (text: string) => string },
): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))))
  const widths = fit(columns, cells, width)
  const line = (texts: readonly string[], paint: (text: string, index: number) => string): string =>
    texts
      .map((text, index) =>
        paint(pad(cut(text, widths[index] ?? 0), widths[index] ?? 0, columns[index]?.align), index),
      )
      .join(GAP)
      .trimEnd()
  return [
    line(
      columns.map((column) => column.title),
      title,
    ),
    ...cells.map((texts, at) =>
      line(texts, (text, index) => {
        const style = columns[index]?.style
        return style ? style(text, rows[at] as Row) : text
      }),
    ),
  ].join('\n')
}

function fit<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  width: number,
): number[] {
  const widths = columns.map(({ title }, index) =>
    cells.reduce((most, texts) => Math.max(most, stringWidth(texts[index] ?? '')), title.length),
  )
  let excess = widths.reduce((sum, one) => sum + one + GAP.length, -GAP.length) - width
  for (const [index, { shrinks, title }] of columns.entries()) {
    if (!shrinks || excess <= 0) continue
    const least = Math.max(NARROWEST, title.length)
    const given = Math.min(excess, Math.max(0, (widths[index] ?? 0) - least))
    widths[index] = (widths[index] ?? 0) - given
    excess -= given
  }
  return widths
}

const pad = (text: string, width: number, align: 'left' | 'right' = 'left'): string => {
  const blanks = ' '.repeat(Math.max(0, width - stringWidth(text)))
  return align === 'right' ? blanks + text : text + blanks
}

/** Cuts text that is too wide, between two characters as people see them. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let short = ''
  let used = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += stringWidth(segment)
    if (used > width - 1) break
    short += segment
  }
  return `${short}…`
}
