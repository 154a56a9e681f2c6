/**
 * Who takes part, and how. The options here are the ones that the contestants really run with, so what is printed is what was
 * measured. It imports none of the products: the process that prints must not need them.
 */

/** The label of a contestant, as it stands in tables, in JSON and in `--only`. */
export const CONTESTANTS = [
  'pgq',
  'floor',
  'bullmq-redis',
  'bullmq-postgres',
  'graphile-worker',
  'pg-boss',
  'pg-boss-work',
] as const

/** One of them. */
export type ContestantName = (typeof CONTESTANTS)[number]

/** What is printed of a contestant beside its figures. */
export interface ContestantConfig {
  /** Where it keeps its jobs. */
  readonly store: 'postgres' | 'redis'
  /** What it does, in a few words. */
  readonly how: string
  /** Its options, as its own API names them; everything else is its default. */
  readonly options: Readonly<Record<string, unknown>>
  /** How many jobs go into one call of its bulk insert, and how many such calls are under way at once. */
  readonly bulk: { readonly size: number; readonly inFlight: number }
  /** What happens to a job that is done. */
  readonly history: string
  /** What keeps a worker that was given up from settling a job that another one has by now. */
  readonly fence: string
  /** How many jobs a worker process has in hand at most, and for how long they are stuck if it is killed. */
  readonly atRisk: string
  /** Where its own documents give this configuration. */
  readonly documents: readonly string[]
  /** The package whose version is printed. */
  readonly package: string
}

/** https://worker.graphile.org/docs/performance: the configuration that its 184,000 jobs/s were measured with. */
export const GRAPHILE_WORKER = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
} as const

/**
 * https://docs.bullmq.io/guide/parallelism-and-concurrency calls a concurrency of 100 to 300 usual, and
 * https://docs.bullmq.io/guide/queues/auto-removal-of-jobs says how to keep nothing.
 */
export const BULLMQ_REDIS = { concurrency: 100, removeOnComplete: { count: 0 } } as const

/** https://docs.bullmq.io/guide/postgresql: concurrency 8 to 32, a pool that is large enough for it, and retention that keeps tables small. */
export const BULLMQ_POSTGRES = { concurrency: 8, max: 16, removeOnComplete: { count: 0 } } as const

/** https://pgboss.io/api/jobs: `fetch` with a batch, `complete` with the array of its ids. */
export const PG_BOSS = { max: 25, batchSize: 2_000, loops: 2 } as const

/** https://pgboss.io/api/workers: batches, no pause while they come back full, and LISTEN/NOTIFY for when they don't. */
export const PG_BOSS_WORK = {
  max: 25,
  batchSize: 2_000,
  localConcurrency: 2,
  burstWhenBatchFull: true,
  useListenNotify: true,
} as const

/** How many jobs one statement claims or settles. */
export const FLOOR = { batch: 1_000 } as const

const BULLMQ_FENCE = 'a lock token per job'

const roster: Readonly<Record<ContestantName, ContestantConfig>> = {
  pgq: {
    package: '@pgq/core',
    store: 'postgres',
    how: 'defaults; payloads validated with zod when enqueued and when handled; listeners for events',
    options: {},
    bulk: { size: 5_000, inFlight: 2 },
    history: 'kept',
    fence: 'a number per claim',
    atRisk: 'up to 8,000 jobs, for 15 s',
    documents: ['packages/core/README.md'],
  },
  floor: {
    package: '@pgq/core',
    store: 'postgres',
    how: "pgq's claim and settle statements in a bare loop, without handlers, types, events or leases",
    options: FLOOR,
    bulk: { size: 5_000, inFlight: 2 },
    history: 'kept',
    fence: 'a number per claim',
    atRisk: 'it is no product',
    documents: [],
  },
  'bullmq-redis': {
    package: 'bullmq',
    store: 'redis',
    how: 'Queue and Worker',
    options: BULLMQ_REDIS,
    bulk: { size: 1_000, inFlight: 4 },
    history: 'removed',
    fence: BULLMQ_FENCE,
    atRisk: `${BULLMQ_REDIS.concurrency} jobs, for 30 to 60 s; and all jobs if Redis dies, since it writes nothing to disk`,
    documents: [
      'https://docs.bullmq.io/guide/parallelism-and-concurrency',
      'https://docs.bullmq.io/guide/queues/auto-removal-of-jobs',
      'https://docs.bullmq.io/guide/queues/adding-bulks',
    ],
  },
  'bullmq-postgres': {
    package: 'bullmq',
    store: 'postgres',
    how: 'Queue and Worker with createPostgresBackend',
    options: BULLMQ_POSTGRES,
    bulk: { size: 1_000, inFlight: 2 },
    history: 'removed',
    fence: BULLMQ_FENCE,
    atRisk: `${BULLMQ_POSTGRES.concurrency} jobs, for 30 to 60 s`,
    documents: ['https://docs.bullmq.io/guide/postgresql'],
  },
  'graphile-worker': {
    package: 'graphile-worker',
    store: 'postgres',
    how: 'run() with a local queue and batched completion',
    options: GRAPHILE_WORKER,
    bulk: { size: 5_000, inFlight: 2 },
    history: 'deleted',
    fence: 'none: a job is deleted by its id',
    atRisk: `${GRAPHILE_WORKER.localQueue.size + GRAPHILE_WORKER.concurrentJobs} jobs and those being completed, for 4 h`,
    documents: ['https://worker.graphile.org/docs/performance'],
  },
  'pg-boss': {
    package: 'pg-boss',
    store: 'postgres',
    how: `${PG_BOSS.loops} bare loops of fetch() and complete(), without its workers`,
    options: PG_BOSS,
    bulk: { size: 2_000, inFlight: 2 },
    history: 'kept, in the same table',
    fence: 'none for ids as complete() takes them',
    atRisk: `${PG_BOSS.loops * PG_BOSS.batchSize} jobs, for 15 min`,
    documents: ['https://pgboss.io/api/jobs'],
  },
  'pg-boss-work': {
    package: 'pg-boss',
    store: 'postgres',
    how: 'work() with batches, LISTEN/NOTIFY and no pause while batches are full',
    options: PG_BOSS_WORK,
    bulk: { size: 2_000, inFlight: 2 },
    history: 'kept, in the same table',
    fence: 'the number of the attempt',
    atRisk: `${PG_BOSS_WORK.localConcurrency * PG_BOSS_WORK.batchSize} jobs, for 15 min`,
    documents: ['https://pgboss.io/api/workers'],
  },
}

/** What is known of a contestant. */
export const rosterEntry = (name: ContestantName): ContestantConfig => roster[name]
