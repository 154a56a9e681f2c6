import { parseArgs } from 'node:util'
import { FAULT_KINDS, type FaultKind } from './faults/faults.ts'

/** What a run under faults is asked to be. */
export interface ChaosArguments {
  readonly command: 'run'
  /** For how long there are faults. */
  readonly seconds: number
  readonly seed: number
  readonly json: boolean
  readonly faults: readonly FaultKind[]
  /** The faults were named: one that is not possible on this machine is missed then. */
  readonly insists: boolean
  readonly leaseMs: number
  readonly workers: number
  readonly producers: number
  /** Enqueues of each producer in a second. */
  readonly pace: number
  /** Multiplies how often there is a fault. */
  readonly rate: number
  /** Keep the logs of the clients. */
  readonly keep: boolean
  /** Run with this mutant instead of the package as it is. */
  readonly mutant: string | undefined
}

/** What the mutants are asked. */
export interface MutantsArguments {
  readonly command: 'mutants'
  readonly json: boolean
  /** Only these. */
  readonly only: readonly string[] | undefined
}

/** The command line asks for something that there is not. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What `--help` prints. */
export const HELP = `Usage: pnpm chaos [--seconds n] [--seed n] [--json] [--faults a,b] [--without a,b] [--lease ms]
                  [--workers n] [--producers n] [--pace n] [--rate x] [--keep] [--mutant a]
       pnpm chaos mutants [--only a,b] [--json]

Runs workers and producers on a durable PostgreSQL while processes, connections and the server misbehave, lets
everything come to its end, and holds every invariant against what the clients and the database have written down.
\`mutants\` breaks the package on purpose, in one way after the other, and shows that the checker sees it.

  --seconds n    how long there are faults; default 60
  --seed n       who is hit by what, and when; default 1
  --json         print one JSON object instead of the report
  --faults a,b   only these: ${FAULT_KINDS.slice(0, 8).join(', ')},
                 ${FAULT_KINDS.slice(8).join(', ')}
  --without a,b  all but these
  --lease ms     the lease of the workers; default 1500, so that there are many cycles (a worker's own default is 9 s)
  --workers n    default 3
  --producers n  default 2
  --pace n       enqueues of each producer in a second; default 20
  --rate x       multiply how often there is a fault; default 1
  --keep         keep the logs of the clients, and say where they are
  --mutant a     run with this mutant instead of the package as it is
  --only a,b     only these mutants
  --help         print this

Exit code 1: an invariant was violated, or a mutant was not caught. 3: an enabled fault never happened, so the run proves
nothing about it. Progress, and the shortest history that shows a violation, go to stderr.
`

const MAX_SECONDS = 86_400

/**
 * Reads the command line.
 * @throws UsageError
 */
export function parseArguments(args: readonly string[]): ChaosArguments | MutantsArguments | 'help' {
  const { values, positionals } = parse(args)
  if (values.help === true) return 'help'
  const [command, ...rest] = positionals
  if (rest.length > 0 || (command !== undefined && command !== 'mutants'))
    throw new UsageError(`unknown command ${positionals.join(' ')}: there is mutants`)
  const json = values.json ?? false
  if (command === 'mutants') return { command, json, only: values.only?.split(',') }
  return {
    command: 'run',
    json,
    seconds: wholeNumber('seconds', values.seconds, 1, MAX_SECONDS) ?? 60,
    seed: wholeNumber('seed', values.seed, 0, 2 ** 32 - 1) ?? 1,
    faults: faults(values.faults, values.without),
    insists: values.faults !== undefined,
    leaseMs: wholeNumber('lease', values.lease, 1_000, 600_000) ?? 1_500,
    workers: wholeNumber('workers', values.workers, 1, 50) ?? 3,
    producers: wholeNumber('producers', values.producers, 1, 50) ?? 2,
    pace: wholeNumber('pace', values.pace, 1, 1_000) ?? 20,
    rate: positiveNumber('rate', values.rate) ?? 1,
    keep: values.keep ?? false,
    mutant: values.mutant,
  }
}

// oxlint-disable-next-line typescript/explicit-function-return-type -- what parseArgs infers from the options
function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        seed: { type: 'string' },
        json: { type: 'boolean' },
        faults: { type: 'string' },
        without: { type: 'string' },
        lease: { type: 'string' },
        workers: { type: 'string' },
        producers: { type: 'string' },
        pace: { type: 'string' },
        rate: { type: 'string' },
        keep: { type: 'boolean' },
        mutant: { type: 'string' },
        only: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function faults(only: string | undefined, without: string | undefined): FaultKind[] {
  const left = without === undefined ? [] : names(without)
  const wanted = only === undefined ? FAULT_KINDS : names(only)
  return wanted.filter((kind) => !left.includes(kind))
}

const names = (text: string): FaultKind[] =>
  text === 'none'
    ? []
    : text.split(',').map((name) => {
        const kind = FAULT_KINDS.find((known) => known === name)
        if (kind === undefined)
          throw new UsageError(`unknown fault ${name}: there are ${FAULT_KINDS.join(', ')}`)
        return kind
      })

function wholeNumber(name: string, text: string | undefined, from: number, to: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= from && value <= to) return value
  throw new UsageError(`--${name} is ${text}: it must be a whole number from ${from} to ${to}`)
}

function positiveNumber(name: string, text: string | undefined): number | undefined {
  const value = Number(text)
  if (text === undefined || (text.trim() !== '' && value > 0 && Number.isFinite(value)))
    return text === undefined ? undefined : value
  throw new UsageError(`--${name} is ${text}: it must be a number above 0`)
}
