import type { BenchArguments } from './arguments.ts'
import { describeEnvironment, type NodeRuntime } from './environment.ts'
import { ContestantProcess } from './process/contestant-process.ts'
import { type ContestantName, rosterEntry } from './roster.ts'
import { type ScenarioReport, type Series, summarize } from './report.ts'
import type { Entry, Measurement, Scenario, Stage } from './scenarios/scenario.ts'
import type { PostgresServer } from './servers/postgres-server.ts'
import type { RedisServer } from './servers/redis-server.ts'
import { rounded } from './statistics.ts'
import { Stores } from './stores.ts'

/** What scenarios run on. */
export interface Ground {
  readonly node: NodeRuntime
  readonly postgres: PostgresServer
  readonly redis: RedisServer | undefined
  /** Tells people how far it is. */
  readonly say: (text: string) => void
  /** Aborts when somebody wants it to end. */
  readonly signal: AbortSignal
}

/** Why a contestant on Redis can't take part. */
export const NO_REDIS = 'redis-server is not on the PATH (Debian and Ubuntu: apt-get install redis-server)'

/** Runs one scenario: a round that is not counted, then the counted ones, each beginning with another contestant. */
export async function runScenario(
  ground: Ground,
  scenario: Scenario,
  args: BenchArguments,
): Promise<ScenarioReport> {
  const { node, postgres, redis, say, signal } = ground
  const env = describeEnvironment(node, postgres, redis)
  const { entries, skipped } = takingPart(scenario.entries, ground, args.only)
  const turns = new Turns(ground, scenario, args)
  const onAbort = (): void => void turns.end()
  signal.addEventListener('abort', onAbort)
  try {
    const rounds: Map<Entry, Measurement>[] = []
    for (let round = 0; round <= args.rounds; round++) {
      const measured = new Map<Entry, Measurement>()
      for (const entry of rotated(entries, round)) {
        signal.throwIfAborted()
        const measurement = await turns.take(entry, round === 0)
        measured.set(entry, measurement)
        say(
          `${scenario.name}, ${round === 0 ? 'warm-up' : `round ${round} of ${args.rounds}`}: ${entry.label} ${rounded(measurement.value)} ${scenario.unit}`,
        )
      }
      rounds.push(measured)
    }
    const series = entries.map((entry): Series => {
      const [warmUp, ...counted] = rounds.map((round) => round.get(entry) as Measurement)
      return { entry, jobs: turns.jobsOf(entry), warmUp: warmUp as Measurement, counted }
    })
    return summarize({ scenario, rounds: args.rounds, env, series, skipped })
  } finally {
    signal.removeEventListener('abort', onAbort)
    await turns.end()
  }
}

/** Pgq always takes part; others may be left out by the command line, or because what they run on is not there. */
function takingPart(
  all: readonly Entry[],
  { redis, say }: Ground,
  only: readonly ContestantName[] | undefined,
): { entries: Entry[]; skipped: Record<string, string> } {
  const skipped: Record<string, string> = {}
  const entries = all.filter(({ label, contestant }) => {
    if (only && contestant !== 'pgq' && !only.includes(contestant)) return false
    if (rosterEntry(contestant).store !== 'redis' || redis) return true
    skipped[label] = NO_REDIS
    say(`${label} is skipped: ${NO_REDIS}`)
    return false
  })
  return { entries, skipped }
}

const rotated = <Item>(items: readonly Item[], by: number): Item[] => {
  const start = by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}

/** The turns of one scenario, with the processes and stores that live longer than one of them. */
class Turns {
  readonly #ground: Ground
  readonly #scenario: Scenario
  readonly #args: BenchArguments
  readonly #stores: Stores
  readonly #processes = new Map<string, ContestantProcess>()

  constructor(ground: Ground, scenario: Scenario, args: BenchArguments) {
    this.#ground = ground
    this.#scenario = scenario
    this.#args = args
    this.#stores = new Stores(ground, scenario.keepsStores ?? false)
  }

  jobsOf({ contestant }: Entry): number {
    const { jobs, scale } = this.#args
    return jobs ?? Math.max(1, Math.round(this.#scenario.jobs[contestant] * scale))
  }

  async take(entry: Entry, isWarmUp: boolean): Promise<Measurement> {
    const { store, database, isNew } = await this.#stores.open(entry, isWarmUp)
    const temporary: ContestantProcess[] = []
    const stage: Stage = {
      entry,
      jobs: this.jobsOf(entry),
      scale: this.#args.scale,
      store,
      database,
      isNewStore: isNew,
      hire: async (role, { fresh } = { fresh: false }) => {
        if (!fresh) return this.#hire(entry, role)
        const contestant = await ContestantProcess.start(entry.contestant, this.#ground.node.path)
        temporary.push(contestant)
        return contestant
      },
    }
    try {
      return await this.#scenario.turn(stage)
    } finally {
      for (const contestant of temporary) await contestant.end()
      await this.#stores.close(entry)
    }
  }

  /** Ends all processes and drops what is kept. */
  async end(): Promise<void> {
    const processes = [...this.#processes.values()]
    this.#processes.clear()
    await Promise.all(processes.map((contestant) => contestant.end()))
    await this.#stores.dropAll()
  }

  async #hire(entry: Entry, role: string): Promise<ContestantProcess> {
    const key = `${entry.label} ${role}`
    const known = this.#processes.get(key)
    if (known) return known
    const contestant = await ContestantProcess.start(entry.contestant, this.#ground.node.path)
    this.#processes.set(key, contestant)
    return contestant
  }
}
