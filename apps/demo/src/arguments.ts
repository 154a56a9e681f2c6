/** What the demo is asked to do. */
export interface DemoArguments {
  readonly show: 'story' | 'json' | 'help'
  /** Whether the dashboard is served, until somebody ends it. */
  readonly serve: boolean
}

/** The command line asks for something that the demo doesn't know. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What `--help` prints. */
export const HELP = `Usage: npm run demo [-- --json | --serve]

Sends 1,000 payment webhooks through a queue that two worker processes share, and kills one of them half-way.

  --json    print one JSON object instead of the story
  --serve   open the dashboard, print its address, and keep it open until Ctrl-C
  --help    print this

It runs on the server that DATABASE_URL names, in the schemas pgq_demo and pgq_demo_shop, which it drops before and
after; without DATABASE_URL it starts a PostgreSQL of its own. Exit code 1: a webhook was lost or posted twice.
`

/**
 * Reads the command line.
 * @throws UsageError
 */
export function parseArguments(args: readonly string[]): DemoArguments {
  if (args.includes('--help') || args.includes('-h')) return { show: 'help', serve: false }
  const unknown = args.find((arg) => arg !== '--json' && arg !== '--serve')
  if (unknown !== undefined) throw new UsageError(`unknown argument ${unknown}`)
  const [json, serve] = [args.includes('--json'), args.includes('--serve')]
  if (json && serve)
    throw new UsageError('--json prints nothing but one object, so nobody would see the address of --serve')
  return { show: json ? 'json' : 'story', serve }
}
