import type { JSX } from 'preact'

/** A column: its heading, and the classes of it: `num` is set to the right, `wide` is not there on a phone. */
export type Column = readonly [heading: string, classes?: 'num' | 'wide' | 'num wide']

/** The headings of a table; a last one for what can be done with a row. */
export function Columns({
  columns,
  actions,
}: {
  readonly columns: readonly Column[]
  /** @default no such column */
  readonly actions?: 'always' | 'wide' | undefined
}): JSX.Element {
  return (
    <thead>
      <tr>
        {columns.map(([heading, classes]) => (
          <th key={heading} scope="col" class={classes}>
            {heading}
          </th>
        ))}
        {actions && (
          <th scope="col" class={actions === 'wide' ? 'wide' : undefined}>
            <span class="sr">Actions</span>
          </th>
        )}
      </tr>
    </thead>
  )
}
