import { parseArgs } from 'node:util'
import { CONTESTANTS, type ContestantName } from './roster.ts'

/** The scenarios, in the order in which `pnpm bench` runs them all. */
const SCENARIO_NAMES = [
  'process',
  'enqueue-many',
  'enqueue',
  'latency',
  'pinned',
  'big-table',
  'scale-out',
  'mixed',
  'memory',
  'fairness',
  'limits',
  'unique',
] as const

/** One of them. */
export type ScenarioName = (typeof SCENARIO_NAMES)[number]

/** What the command line asks for. */
export interface BenchArguments {
  readonly scenarios: readonly ScenarioName[]
  readonly rounds: number
  readonly json: boolean
  /** Multiplies the number of jobs and the size of the tables. */
  readonly scale: number
  /** The number of jobs of every contestant, whatever the scenario would give it. */
  readonly jobs: number | undefined
  /** Who takes part besides pgq, which always does. */
  readonly only: readonly ContestantName[] | undefined
}

/** The command line asks for something that the benchmark doesn't know. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What `--help` prints. */
export const HELP = `Usage: pnpm bench [scenario] [--rounds n] [--json] [--scale x] [--jobs n] [--only a,b]

Measures pgq beside BullMQ (on Redis and on PostgreSQL), graphile-worker and pg-boss. Without a scenario all of them run.

  process        no-op jobs, one worker process
  enqueue-many   bulk inserts
  enqueue        single enqueues, 100 at a time
  latency        from the enqueue to the handler, on an idle queue
  pinned         600,000 jobs while an old snapshot keeps vacuum from removing anything
  big-table      beside 10 million completed and 1 million delayed jobs
  scale-out      1, 2 and 4 worker processes
  mixed          20 queues, 5 priorities, 1% failures, 100 B to 10 KB, enqueued and processed at once
  memory         500 handlers and a backlog of 100,000: memory and connections
  fairness       the wait of a small tenant behind the backlog of a large one
  limits         what a limit costs that is never reached
  unique         what unique keys cost

  --rounds n     counted rounds, after one that is not counted; default 5
  --json         print one JSON object instead of the table
  --scale x      multiply the number of jobs and the size of the tables; default 1
  --jobs n       the same number of jobs for every contestant
  --only a,b     only these beside pgq: ${CONTESTANTS.slice(1).join(', ')}; or none
  --help         print this

It starts its own PostgreSQL and, if redis-server is on the PATH, its own Redis. Progress goes to stderr.
Exit code 1: a contestant failed, or did less than it was asked to.
`

/**
 * Reads the command line.
 * @throws UsageError
 */
export function parseArguments(args: readonly string[]): BenchArguments | 'help' {
  const { values, positionals } = parse(args)
  if (values.help === true) return 'help'
  if (positionals.length > 1) throw new UsageError(`one scenario at a time, not ${positionals.join(' and ')}`)
  return {
    scenarios:
      positionals[0] === undefined ? SCENARIO_NAMES : [oneOf(SCENARIO_NAMES, positionals[0], 'scenario')],
    rounds: wholeNumber('rounds', values.rounds) ?? 5,
    json: values.json ?? false,
    scale: positiveNumber('scale', values.scale) ?? 1,
    jobs: wholeNumber('jobs', values.jobs),
    only: values.only === undefined ? undefined : contestants(values.only),
  }
}

// oxlint-disable-next-line typescript/explicit-function-return-type -- what parseArgs infers from the options
function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        json: { type: 'boolean' },
        scale: { type: 'string' },
        jobs: { type: 'string' },
        only: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9]\d{0,8}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new UsageError(`--${name} is ${text}: it must be a whole number from 1`)
}

function positiveNumber(name: string, text: string | undefined): number | undefined {
  const value = Number(text)
  if (text === undefined || (text.trim() !== '' && value > 0 && Number.isFinite(value)))
    return text === undefined ? undefined : value
  throw new UsageError(`--${name} is ${text}: it must be a number above 0`)
}

function contestants(text: string): ContestantName[] {
  return text === 'none' ? [] : text.split(',').map((name) => oneOf(CONTESTANTS, name, 'contestant'))
}

function oneOf<Name extends string>(names: readonly Name[], text: string, what: string): Name {
  const name = names.find((known) => known === text)
  if (name === undefined) throw new UsageError(`unknown ${what} ${text}: there are ${names.join(', ')}`)
  return name
}
