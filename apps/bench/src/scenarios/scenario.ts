import type { ScenarioName } from '../arguments.ts'
import type { ContestantProcess } from '../process/contestant-process.ts'
import type { ContestantName } from '../roster.ts'
import type { Database, Meter } from '../servers/postgres-server.ts'
import type { Better } from '../statistics.ts'

/** One row of a table: a contestant in one way of running. */
export interface Entry {
  /** Its name in the table and in the JSON. */
  readonly label: string
  readonly contestant: ContestantName
  /** `ours` is what is compared with all the others; a baseline is ours in another situation, or the floor. */
  readonly role: 'ours' | 'peer' | 'baseline'
  /** How it differs from the other entries of the same contestant. */
  readonly variant?: string
  /** Worker processes. @default 1 */
  readonly processes?: number
}

/** What one turn of one entry came to. */
export interface Measurement {
  /** In the unit of the scenario. */
  readonly value: number
  /** What else was seen, by name. */
  readonly figures: Readonly<Record<string, number>>
}

/** Where an entry keeps its jobs during a turn. */
export interface Store {
  readonly url: string
  /** Brings it into the same state for everybody. */
  settle(): Promise<void>
  /** Begins to measure; the answer ends it. */
  meter(): Promise<() => Promise<Meter | undefined>>
}

/** What a scenario has at hand for one turn. */
export interface Stage {
  readonly entry: Entry
  readonly jobs: number
  readonly scale: number
  readonly store: Store
  /** The store, if it is a database of PostgreSQL. */
  readonly database: Database | undefined
  /** Whether nobody has used the store before. */
  readonly isNewStore: boolean
  /** A process of the contestant's, connected to nothing. Those that aren't `fresh` are the same in each round. */
  readonly hire: (role: string, options?: { readonly fresh: boolean }) => Promise<ContestantProcess>
}

/** Something that is measured. */
export interface Scenario {
  readonly name: ScenarioName
  readonly unit: 'jobs/s' | 'ms' | 'MB'
  readonly better: Better
  /** In a sentence: what is measured, from when to when. */
  readonly about: string
  readonly entries: readonly Entry[]
  /** How many jobs an entry has, unless the command line says it. */
  readonly jobs: Readonly<Record<ContestantName, number>>
  /** What ours is called among its baselines, where those are called after something that ours has as well. */
  readonly ownBaseline?: string
  /** Whether an entry goes on in the same store in all rounds. @default a new one each turn */
  readonly keepsStores?: boolean
  turn(stage: Stage): Promise<Measurement>
}

/** The contestants that are peers, with their slow ones. */
const PEERS = [
  'bullmq-redis',
  'bullmq-postgres',
  'graphile-worker',
  'pg-boss',
  'pg-boss-work',
] as const satisfies readonly ContestantName[]

/** Entries of peers under their own names. */
export function peers(
  names: readonly ContestantName[] = PEERS,
  how: Pick<Entry, 'variant' | 'processes'> = {},
): Entry[] {
  return names.map((contestant) => ({ label: contestant, contestant, role: 'peer', ...how }))
}

/** Job counts: as many for all, and fewer for those that would take minutes. A rate over fewer jobs is no worse for it. */
export function jobCounts(
  most: number,
  fewer: Partial<Record<ContestantName, number>> = {},
): Readonly<Record<ContestantName, number>> {
  return {
    pgq: most,
    floor: most,
    'bullmq-redis': most,
    'bullmq-postgres': most,
    'graphile-worker': most,
    'pg-boss': most,
    'pg-boss-work': most,
    ...fewer,
  }
}
