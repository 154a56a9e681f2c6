/** What the example can be asked to show. */
export type Show = 'story' | 'json' | 'help'

/** The command line asks for something that the example doesn't know. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What `--help` prints. */
export const HELP = `Usage: node dist/main.js [--json]

Takes five payments: rows and jobs in one transaction. Refuses one that was paid before, posts them to a ledger
through the death of a worker, sends receipts, and joins the dead jobs with the payments that they were for.

  --json   print one JSON object instead of the story
  --help   print this

It works in the database that DATABASE_URL names, in the schemas pgq and drizzle_shop, and leaves there what it made; without
DATABASE_URL it starts a PostgreSQL of its own. Exit code 1: a payment was posted twice, by halves or not at all.
`

/**
 * Reads the command line.
 * @throws UsageError
 */
export function parseArguments(args: readonly string[]): Show {
  let show: Show = 'story'
  for (const arg of args) {
    if (arg === '--help' || arg === '-h') return 'help'
    if (arg !== '--json') throw new UsageError(`unknown argument ${arg}`)
    show = 'json'
  }
  return show
}
