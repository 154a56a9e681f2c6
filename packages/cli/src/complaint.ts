import { isPgqError } from '@pgq/core'
import { type ConnectionOptions, placeOf } from './connection.ts'
import { EXIT, type ExitCode, UsageError } from './exit-code.ts'
import { printable, printableJson } from './terminal/printable.ts'

/** What was typed is at fault for these, not the database. */
const TYPED = ['INVALID_OPTION', 'INVALID_ID', 'INVALID_QUEUE', 'INVALID_SCHEDULE']

/** Says what went wrong, and returns the exit code for it. Messages of the database hold no passwords. */
export function complain(error: unknown, asJson: boolean, options: ConnectionOptions): ExitCode {
  const code = isPgqError(error) ? error.code : error instanceof UsageError ? 'USAGE' : 'FAILED'
  const message = error instanceof Error ? error.message || error.name : String(error)
  if (asJson) process.stderr.write(`${errorJson(code, message)}\n`)
  else {
    process.stderr.write(`pgq: ${printable(message)}${isPgqError(error) ? ` (${code})` : ''}\n`)
    const hint = hintOf(code, options)
    if (hint !== undefined) process.stderr.write(`  → ${printable(hint)}\n`)
  }
  if (code === 'UNKNOWN_SCHEDULE') return EXIT.no
  return code === 'USAGE' || TYPED.includes(code) ? EXIT.usage : EXIT.failed
}

/** The way out on the command line; what the message says is for those who write code. */
export function hintOf(
  code: string,
  { url = process.env['DATABASE_URL'] }: ConnectionOptions,
): string | undefined {
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
