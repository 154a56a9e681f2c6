import type { Environment } from './environment.ts'
import { packageVersion } from './environment.ts'
import { type ContestantConfig, rosterEntry } from './roster.ts'
import type { Entry, Measurement, Scenario } from './scenarios/scenario.ts'
import { type Better, median, ratio, rounded } from './statistics.ts'

/** What is told of one entry. */
export interface EntryReport {
  /** Of the rounds, in the unit of the scenario. */
  readonly median: number
  readonly min: number
  readonly max: number
  readonly values: readonly number[]
  /** How many jobs it had in each round. */
  readonly jobs: number
  readonly version: string
  readonly config: Omit<ContestantConfig, 'package'> & { readonly durability: string }
  /** Medians of what else was seen, such as `cpuMicrosPerJob`. */
  readonly [figure: string]: unknown
}

/** What is told of one scenario: the object that `--json` prints. */
export interface ScenarioReport {
  readonly scenario: string
  readonly about: string
  readonly rounds: number
  readonly unit: string
  readonly better: Better
  readonly env: Environment
  readonly ours: EntryReport
  readonly peers: Readonly<Record<string, EntryReport>>
  /** pgq in other situations, and the floor. */
  readonly baselines: Readonly<Record<string, EntryReport>>
  /** Above 1 we are better. */
  readonly ratios: Readonly<Record<string, number>>
  /** Who could not take part, and why. */
  readonly skipped: Readonly<Record<string, string>>
}

/** All that was measured of one entry. */
export interface Series {
  readonly entry: Entry
  readonly jobs: number
  readonly counted: readonly Measurement[]
  /** The round that is not counted; only what does not depend on time is taken from it. */
  readonly warmUp: Measurement
}

/** Sums a scenario up. */
export function summarize(options: {
  readonly scenario: Scenario
  readonly rounds: number
  readonly env: Environment
  readonly series: readonly Series[]
  readonly skipped: Readonly<Record<string, string>>
}): ScenarioReport {
  const { scenario, rounds, env, series, skipped } = options
  const reports = series.map(({ entry, ...rest }) => ({ entry, report: entryReport(entry, rest, env) }))
  const ours = reports.find(({ entry }) => entry.role === 'ours')
  if (!ours) throw new Error(`${scenario.name} was measured without pgq`)
  const others = reports.filter(({ entry }) => entry.role !== 'ours')
  const ofRole = (role: Entry['role']): Record<string, EntryReport> =>
    Object.fromEntries(
      reports.filter(({ entry }) => entry.role === role).map(({ entry, report }) => [entry.label, report]),
    )
  return {
    scenario: scenario.name,
    about: scenario.about,
    rounds,
    unit: scenario.unit,
    better: scenario.better,
    env,
    ours: ours.report,
    peers: ofRole('peer'),
    baselines: ofRole('baseline'),
    ratios: {
      ...(scenario.ownBaseline !== undefined && { [scenario.ownBaseline]: 1 }),
      ...Object.fromEntries(
        others.map(({ entry, report }) => [
          entry.label,
          Number(ratio(ours.report.median, report.median, scenario.better).toFixed(3)),
        ]),
      ),
    },
    skipped,
  }
}

function entryReport(entry: Entry, series: Omit<Series, 'entry'>, env: Environment): EntryReport {
  const { jobs, counted, warmUp } = series
  const values = counted.map(({ value }) => value)
  const { package: packageName, ...config } = rosterEntry(entry.contestant)
  return {
    ...mediansOf(counted, warmUp),
    median: rounded(median(values)),
    min: rounded(Math.min(...values)),
    max: rounded(Math.max(...values)),
    values: values.map(rounded),
    jobs,
    ...(entry.processes !== undefined && { processes: entry.processes }),
    version: packageVersion(packageName),
    config: { ...config, durability: durabilityOf(config.store, env) },
  }
}

/** Statements are counted in the warm-up only, because counting them costs time. */
function mediansOf(counted: readonly Measurement[], warmUp: Measurement): Record<string, number> {
  const names = new Set([...counted, warmUp].flatMap(({ figures }) => Object.keys(figures)))
  return Object.fromEntries(
    [...names].map((name) => {
      const values = counted.flatMap(({ figures }) => figures[name] ?? [])
      return [name, rounded(values.length > 0 ? median(values) : (warmUp.figures[name] ?? Number.NaN))]
    }),
  )
}

function durabilityOf(store: 'postgres' | 'redis', env: Environment): string {
  if (store === 'redis')
    return `none: save "${env.redis?.['save'] ?? ''}", appendonly ${env.redis?.['appendonly'] ?? ''}`
  return `fsync ${env.postgres['fsync']}, synchronous_commit ${env.postgres['synchronous_commit']}`
}
