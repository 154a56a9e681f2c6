import type { Tables } from '../sql/statement.ts'

/** One step of the schema. A released one never changes: its checksum is in every database that ran it. */
export interface Migration {
  /** 1, 2, 3 … without gaps: the version of the schema once it has run. */
  readonly id: number
  readonly name: string
  /** Whether older versions of the package must stop working on a database that has it. */
  readonly breaking: boolean
  /** The DDL, to be run in one transaction. */
  readonly up: (tables: Tables) => string
}

/** Wraps the body of a function in a dollar quote that does not occur in it, whatever the schema is called. */
export function functionBody(text: string): string {
  let tag = '$body$'
  for (let n = 1; text.includes(tag); n++) tag = `$body${n}$`
  return `${tag}${text}${tag}`
}
