import type { AnyQueue, Rate, Schedule, UniqueOptions } from '@pgq/core'
import type { Core } from '../core.ts'
import type { RateTerms } from '../history/records.ts'

/** What a job carries: who enqueued it, and what its handler is to do. */
export interface Work {
  readonly ticket: string
  /** How long the handler takes, in ms. */
  readonly ms: number
  /** Snooze this often first. */
  readonly snoozes?: number
  /** Fail this often first. */
  readonly failures?: number
  /** Write progress. */
  readonly reports?: boolean
  /** Whose job it is, for work that has limits. */
  readonly group?: string
  /** What it takes of a rate. */
  readonly cost?: number
  /** Hold this back at the first attempt. */
  readonly holdsBack?: 'group' | 'queue'
  /** Be marked before the handler of its chunk returns. */
  readonly early?: boolean
  /** What makes it unique. */
  readonly key?: string
}

/** The kinds of work, each a queue. */
const WORK_KINDS = [
  'plain',
  'transactional',
  'snoozing',
  'failing',
  'heavy',
  'cancelling',
  'unique',
  'order',
  'grouped',
  'serial',
  'periodic',
  'metered',
  'chunked',
  'ticking',
] as const

/** One of them. */
export type WorkKind = (typeof WORK_KINDS)[number]

/** Enough that crashes alone seldom spend them; those that fail on purpose have few. */
const MANY_ATTEMPTS = 40
const FEW_ATTEMPTS = 4

/** How many handlers of each queue a worker runs at once. */
export const CONCURRENCY = 6

/** How many jobs of a queue, and of each of its groups, run at once over all workers. */
export const LIMITS = { grouped: { concurrency: 4, perGroup: 1 } } as const

/** How fast jobs of a queue, and of each of its groups, begin over all workers. */
export const RATES = {
  metered: {
    queue: { limit: 20, perMs: 1_000, burst: 4 },
    group: { limit: 8, perMs: 1_000, burst: 3 },
  },
} as const

/** How many jobs a handler of chunks takes at once. */
export const CHUNK = 8

/** The queues that producers pause and resume. */
export const PAUSED: readonly WorkKind[] = ['plain', 'metered', 'chunked']

/** Jobs that wait behind each other, and such that hold their key when they are completed. */
export const UNIQUE = { serial: { serial: true }, periodic: { periodMs: 3_000 } } as const

const keyOf = (work: Work): string => work.key ?? work.ticket
const RULES: Partial<Record<WorkKind, UniqueOptions<Work>>> = {
  serial: { key: keyOf, onConflict: 'replace' },
  periodic: { key: keyOf, period: UNIQUE.periodic.periodMs },
}

/** A tick of each of these is run however late. */
export const SCHEDULES = { 'each-second': 1_000, 'each-two-seconds': 2_000 } as const

/** A rate as a queue is defined with it. */
export const rateOf = ({ limit, perMs, burst }: RateTerms): Rate => ({ limit, per: perMs, burst })

/** Defines the queues with the package under test. */
export function defineQueues({ defineQueue, fixed, type }: Core): Record<WorkKind, AnyQueue> {
  const queue = (kind: WorkKind): AnyQueue =>
    defineQueue(kind, {
      payload: type<Work>(),
      maxAttempts: kind === 'failing' ? FEW_ATTEMPTS : MANY_ATTEMPTS,
      // Retries are claimed soon, while the worker that lost the claim may still be frozen.
      backoff: fixed('150ms'),
      ...(kind === 'grouped' && {
        group: ({ group }: Work) => group ?? null,
        limits: {
          concurrency: LIMITS.grouped.concurrency,
          perGroup: { concurrency: LIMITS.grouped.perGroup },
        },
      }),
      ...(kind === 'metered' && {
        group: ({ group }: Work) => group ?? null,
        cost: ({ cost }: Work) => cost ?? 1,
        limits: { rate: rateOf(RATES.metered.queue), perGroup: { rate: rateOf(RATES.metered.group) } },
      }),
      ...(RULES[kind] && { unique: RULES[kind] }),
    })
  return Object.fromEntries(WORK_KINDS.map((kind) => [kind, queue(kind)])) as Record<WorkKind, AnyQueue>
}

/** The schedules that each worker declares. */
export function defineSchedules({ schedule }: Core, queues: Record<WorkKind, AnyQueue>): Schedule[] {
  return Object.entries(SCHEDULES).map(([name, every]) =>
    schedule(queues.ticking, { every }, { ticket: name, ms: 5 } satisfies Work, {
      name,
      missed: { fill: 1_000 },
    }),
  )
}
