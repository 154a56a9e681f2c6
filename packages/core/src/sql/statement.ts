import { createHash } from 'node:crypto'

/** What a parameter may be: drivers disagree about everything else (arrays are for our own connections only). */
type Scalar = string | number | boolean | null
export type Parameter = Scalar | readonly Scalar[]

/** A statement: its text, built once per schema, and how its parameters go in. All rows come back as text. */
export interface Statement<Params, Row> {
  /** A sentence's worth of name, for errors and `pg_stat_statements`. */
  readonly name: string
  readonly text: string
  readonly values: (params: Params) => readonly Parameter[]
  /** The longest wait for an answer, in ms, for those that may take longer than others. */
  readonly patienceMs?: number
  /** Only a type: the columns, as PostgreSQL's text form gives them. */
  readonly row?: Row
}

/** The quoted names of everything in one pgq schema. */
export interface Tables {
  /** The schema as it is called, unquoted. */
  readonly name: string
  readonly schema: string
  readonly jobs: string
  readonly waiting: string
  readonly processing: string
  readonly completed: string
  readonly completedDefault: string
  readonly dead: string
  readonly workers: string
  readonly leader: string
  readonly queues: string
  readonly rates: string
  readonly schedules: string
  readonly scheduleDeclarations: string
  readonly uniqueKeys: string
  readonly idempotencyKeys: string
  readonly migrations: string
  /** The NOTIFY channel. A hash, because a channel name must be shorter than a schema name may be. */
  readonly channel: string
}

/** Quotes the names of a schema, whatever it is called. */
export function tablesIn(name: string): Tables {
  const schema = quoteIdentifier(name)
  return {
    name,
    schema,
    jobs: `${schema}.jobs`,
    waiting: `${schema}.jobs_waiting`,
    processing: `${schema}.jobs_processing`,
    completed: `${schema}.jobs_completed`,
    completedDefault: `${schema}.jobs_completed_default`,
    dead: `${schema}.jobs_dead`,
    workers: `${schema}.workers`,
    leader: `${schema}.leader`,
    queues: `${schema}.queues`,
    rates: `${schema}.rates`,
    schedules: `${schema}.schedules`,
    scheduleDeclarations: `${schema}.schedule_declarations`,
    uniqueKeys: `${schema}.unique_keys`,
    idempotencyKeys: `${schema}.idempotency_keys`,
    migrations: `${schema}.migrations`,
    channel: `pgq:${createHash('md5').update(name).digest('hex').slice(0, 16)}`,
  }
}

/** Quotes an identifier. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Quotes a text literal, for what takes no parameters; safe whatever `standard_conforming_strings` says. */
export const quoteLiteral = (text: string): string => {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return text.includes('\\') ? ` E${quoted}` : quoted
}

/** The key of the advisory lock that every claim shares until it is committed. */
export const claimsLock = ({ channel }: Tables): string => `hashtextextended('claims of ${channel}', 0)`
