import { isPgqError, type Pgq } from '@pgq/core'
import type { Command } from 'commander'
import { type ConnectionOptions, openPgq, placeOf } from './connection.ts'
import { EXIT, type ExitCode, UsageError } from './exit-code.ts'
import { printable, printableJson } from './terminal/printable.ts'
import { Screen } from './terminal/screen.ts'

/** The options that every command has. */
interface GlobalOptions extends ConnectionOptions {
  readonly json?: boolean
  readonly color: boolean
  readonly yes?: boolean
}

/** What a command works with. */
export interface Call<Options> {
  readonly pgq: Pgq
  readonly screen: Screen
  readonly args: readonly string[]
  readonly options: Options & GlobalOptions
}

/** What makes the queue of a call. */
type Open = (options: ConnectionOptions) => Pgq

/** Where commands leave how they ended. */
export class Outcome {
  code: ExitCode = EXIT.done
}

/**
 * Makes the action of a command: opens the queue, runs it, says what went wrong, closes the queue.
 * @param open how to open it; by default with the database that the command line names
 */
export function action<Options>(
  outcome: Outcome,
  run: (call: Call<Options>) => Promise<ExitCode>,
  open: Open = openPgq,
): (this: Command) => Promise<void> {
  return async function () {
    const options = this.optsWithGlobals<Options & GlobalOptions>()
    const screen = new Screen({
      json: options.json ?? false,
      color: options.color,
      yes: options.yes ?? false,
    })
    try {
      const pgq = open(options)
      try {
        outcome.code = await run({ pgq, screen, args: this.args, options })
      } finally {
        await pgq.close()
      }
    } catch (error) {
      outcome.code = complain(error, screen, options)
    }
  }
}

/** What was typed is at fault for these, not the database. */
const TYPED = ['INVALID_OPTION', 'INVALID_ID', 'INVALID_QUEUE', 'INVALID_SCHEDULE']

/** Says what went wrong, and returns the exit code for it. Messages of the database hold no passwords. */
function complain(error: unknown, screen: Screen, options: ConnectionOptions): ExitCode {
  const code = isPgqError(error) ? error.code : error instanceof UsageError ? 'USAGE' : 'FAILED'
  const message = error instanceof Error ? error.message || error.name : String(error)
  if (screen.json) process.stderr.write(`${errorJson(code, message)}\n`)
  else {
    process.stderr.write(`pgq: ${printable(message)}${isPgqError(error) ? ` (${code})` : ''}\n`)
    const hint = hintOf(code, options)
    if (hint !== undefined) process.stderr.write(`  → ${printable(hint)}\n`)
  }
  if (code === 'UNKNOWN_SCHEDULE') return EXIT.no
  return code === 'USAGE' || TYPED.includes(code) ? EXIT.usage : EXIT.failed
}

/** The way out on the command line; what the message says is for those who write code. */
function hintOf(code: string, { url = process.env['DATABASE_URL'] }: ConnectionOptions): string | undefined {
  const where = url === undefined ? 'the database of PGHOST and the like' : placeOf(url)
  switch (code) {
    case 'SCHEMA_MISSING':
      return `pgq migrate creates it; or name another one with --schema, or another database (this is ${where})`
    case 'SCHEMA_TOO_OLD':
      return 'pgq migrate brings it up to date'
    case 'SCHEMA_TOO_NEW':
    case 'MIGRATION_CHANGED':
      return 'use the version of @pgq/core that has migrated it, or a newer one'
    case 'SCHEMA_OCCUPIED':
      return 'give another name with --schema'
    case 'DATABASE_UNAVAILABLE':
      return `asked ${where}: is it up, and is that the one you mean?`
    case 'UNKNOWN_SCHEDULE':
      return 'pgq schedules shows those that there are'
    default:
      return undefined
  }
}

/** An error for programs. */
export const errorJson = (code: string, message: string): string =>
  printableJson({ error: { code, message } })
