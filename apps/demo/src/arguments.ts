/** What the demo can be asked to show. */
export type Show = 'story' | 'json' | 'help'

/** The command line asks for something that the demo doesn't know. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What `--help` prints. */
export const HELP = `Usage: npm run demo [-- --json]

Sends 1,000 payment webhooks through a queue that two worker processes share, and kills one of them half-way.

  --json   print one JSON object instead of the story
  --help   print this

It runs on the server that DATABASE_URL names, in the schemas pgq_demo and pgq_demo_shop, which it drops before and
after; without DATABASE_URL it starts a PostgreSQL of its own. Exit code 1: a webhook was lost or posted twice.
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
