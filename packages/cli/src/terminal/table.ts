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
  /** May be left out where the terminal is too narrow. @default false */
  readonly optional?: boolean
}

const GAP = '  '
/** A column that shrinks keeps so many characters. */
const NARROWEST = 10

/** Lines of aligned columns under their titles; no line is wider than `width`, as far as columns may shrink or be left out. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width, title }: { readonly width: number; readonly title: (text: string) => string },
): string {
  const measured = columns.map((column) => measure(column, rows))
  const shown = shrink(leaveOut(measured, width), width)
  const line = (textOf: (column: Measured<Row>) => string, paint: Paint<Row>): string =>
    shown
      .map((column) => paint(pad(cut(textOf(column), column.widest), column.widest, column.align), column))
      .join(GAP)
      .trimEnd()
  return [
    line((column) => column.title, title),
    ...rows.map((row, at) =>
      line(
        ({ cells }) => cells[at] ?? '',
        (cell, { style }) => style?.(cell, row) ?? cell,
      ),
    ),
  ].join('\n')
}

/** A column with its cells, and how many characters it takes. */
interface Measured<Row> extends Column<Row> {
  readonly cells: readonly string[]
  readonly widest: number
  /** What it can be shrunk to. */
  readonly least: number
}

type Paint<Row> = (cell: string, column: Measured<Row>) => string

function measure<Row>(column: Column<Row>, rows: readonly Row[]): Measured<Row> {
  const cells = rows.map((row) => printable(column.value(row)))
  const widest = cells.reduce((most, text) => Math.max(most, stringWidth(text)), column.title.length)
  const narrowest = Math.max(NARROWEST, column.title.length)
  return { ...column, cells, widest, least: column.shrinks ? Math.min(widest, narrowest) : widest }
}

const total = (widths: readonly number[]): number =>
  widths.reduce((sum, one) => sum + one + GAP.length, -GAP.length)

/** Without the optional columns that there is no room for, the first one first. */
function leaveOut<Row>(columns: readonly Measured<Row>[], width: number): readonly Measured<Row>[] {
  if (total(columns.map(({ least }) => least)) <= width) return columns
  const dispensable = columns.find(({ optional }) => optional)
  if (!dispensable) return columns
  const others = columns.filter((column) => column !== dispensable)
  return leaveOut(others, width)
}

function shrink<Row>(columns: readonly Measured<Row>[], width: number): readonly Measured<Row>[] {
  let excess = total(columns.map(({ widest }) => widest)) - width
  return columns.map((column) => {
    const given = Math.max(0, Math.min(excess, column.widest - column.least))
    excess -= given
    return { ...column, widest: column.widest - given }
  })
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
