import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type pg from 'pg'
import type { ChaosArguments } from './arguments.ts'
import { check, type Verdict } from './checker/check.ts'
import { loadCore } from './core.ts'
import type { FaultKind } from './faults/faults.ts'
import { torment } from './faults/nemesis.ts'
import { jobFigures, type JobFigures, type RecoveryFigures, recoveryFigures } from './figures.ts'
import { installAudit } from './history/audit.ts'
import { makeBystander } from './history/bystander.ts'
import { ClientLog } from './history/client-log.ts'
import { collectHistory } from './history/collect.ts'
import type { Terms } from './history/records.ts'
import { breed } from './mutants/mutant.ts'
import { mutantNamed } from './mutants/mutants.ts'
import { Fleet } from './process/fleet.ts'
import { Random } from './random.ts'
import { Server } from './server.ts'
import { CHUNK, CONCURRENCY, LIMITS, RATES, SCHEDULES, UNIQUE } from './work/queues.ts'

/** What a run has led to. */
export interface RunResult {
  /** How often each enabled fault happened. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  /** The enabled faults that never happened: the run proves nothing about them. */
  readonly missing: readonly FaultKind[]
  readonly jobs: JobFigures
  readonly recoveryMs: RecoveryFigures
  readonly verdict: Verdict
}

const DATABASE = 'chaos'
/** When the faults are over, how long it may take until the next job comes to its end, in ms. */
const DRAIN_MS = 60_000
/** `shutdownTimeout` of the workers, 2 s for handlers that were aborted, 5 s for the last writes, and some for a busy machine. */
const STOP_MS = 2_000 + 2_000 + 5_000 + 3_000

/** What the checker has to know of the runs of this harness. */
export const termsOf = (leaseMs: number): Terms => ({
  leaseMs,
  transactionalQueues: ['transactional'],
  concurrency: CONCURRENCY,
  maxHeld: 4_000,
  stopMs: STOP_MS,
  // Four of the worker, one for each transactional handler, and two that the other handlers use.
  maxConnections: 4 + CONCURRENCY + 2,
  orderedQueues: [],
  limits: LIMITS,
  rates: RATES,
  chunks: { chunked: CHUNK },
  unique: UNIQUE,
  schedules: SCHEDULES,
})

/** Runs the workload under faults, lets it come to its end, and holds the invariants against what happened. */
export async function runChaos(args: ChaosArguments, say: (text: string) => void): Promise<RunResult> {
  const mutant = args.mutant === undefined ? undefined : mutantNamed(args.mutant)
  const server = await Server.start({ smallDisk: args.faults.includes('diskFull') })
  const logs = mkdtempSync(path.join(tmpdir(), 'chaos-logs-'))
  try {
    const core = mutant && breed(mutant, logs)
    return await runOn({ server, logs, core }, args, say)
  } finally {
    await server.stop()
    if (args.keep) say(`the logs are in ${logs}`)
    else rmSync(logs, { recursive: true, force: true })
  }
}

interface Ground {
  readonly server: Server
  readonly logs: string
  /** The URL of another copy of the package. */
  readonly core: string | undefined
}

async function runOn(
  { server, logs, core }: Ground,
  args: ChaosArguments,
  say: (text: string) => void,
): Promise<RunResult> {
  const { seconds, seed, leaseMs, workers, producers, pace, rate } = args
  const kinds = args.faults.filter((kind) => kind !== 'diskFull' || typeof server.disk !== 'string')
  if (args.faults.includes('diskFull') && typeof server.disk === 'string')
    say(`diskFull is not possible here: ${server.disk}`)
  await prepare(server, core)
  const bystander = await makeBystander(server, DATABASE)
  const log = new ClientLog(logs, 'harness')
  const random = new Random(seed)
  let skewed = 0
  const fleet = await Fleet.launch({
    server,
    database: DATABASE,
    log,
    logs,
    leaseMs,
    workers,
    producers,
    pace,
    core,
    random: random.fork(),
    skewed: kinds.includes('skew'),
    onSkew: (process) => {
      skewed++
      log.write({ op: 'fault', kind: 'skew', process, detail: 'from the start' })
    },
  })
  try {
    say(
      `${workers} workers and ${producers} producers, ${seconds} s of faults, seed ${seed}, lease ${leaseMs} ms`,
    )
    const faults = await torment(
      { server, database: DATABASE, fleet, log, leaseMs },
      { kinds, seconds, rate, random: random.fork(), say },
    )
    if ('skew' in faults) faults.skew += skewed
    say('the faults are over')
    await fleet.finishProducers(15_000)
    await resumeQueues(server)
    const tickedUntil = await pauseSchedules(server)
    await drained(server)
    const connections = await countConnections(server, fleet)
    await fleet.stopWorkers(2 * STOP_MS)
    log.close()
    const circumstances = {
      tickedUntil,
      bystanderUnchanged: await bystander.isUnchanged(),
      deadlocks: server.deadlocks,
      connections,
    }
    const { history, repeated } = await server.ask(DATABASE, async (client) => ({
      history: await collectHistory(client, logs, circumstances, termsOf(leaseMs)),
      repeated: await countRepeated(client),
    }))
    return {
      faults,
      missing: (args.insists ? args.faults : kinds).filter((kind) => !faults[kind]),
      jobs: jobFigures(history, repeated),
      recoveryMs: recoveryFigures(history),
      verdict: check(history),
    }
  } finally {
    await fleet.destroy()
  }
}

async function prepare(server: Server, core: string | undefined): Promise<void> {
  await server.ask('postgres', (client) => client.query(`CREATE DATABASE ${DATABASE}`))
  const { createPgq } = await loadCore(core)
  const pgq = createPgq({ connectionString: server.url(DATABASE) })
  await pgq.migrate()
  await pgq.close()
  await server.ask(DATABASE, installAudit)
}

/** Waits until no job is left that waits or runs, or too long has passed since the last one ended: the checker says which then. */
async function drained(server: Server): Promise<void> {
  let least = Number.POSITIVE_INFINITY
  let lastEndMs = performance.now()
  while (performance.now() - lastEndMs < DRAIN_MS) {
    const live = await server.ask(DATABASE, countLive)
    if (live === 0) return
    if (live < least) [least, lastEndMs] = [live, performance.now()]
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** What a producer has paused before it was killed is resumed. */
async function resumeQueues(server: Server): Promise<void> {
  await server.ask(DATABASE, (client) =>
    client.query('SELECT pgq.resume(name) FROM pgq.queues WHERE paused_at IS NOT NULL'),
  )
}

/** Ends the schedules once they have caught up, or too long has passed. Returns until when they should have run. */
async function pauseSchedules(server: Server): Promise<number> {
  const deadlineMs = performance.now() + DRAIN_MS
  for (;;) {
    const { late, clock } = await server.ask(DATABASE, readSchedules)
    if (!late || performance.now() > deadlineMs) {
      await server.ask(DATABASE, (client) =>
        client.query('UPDATE pgq.schedules SET paused_at = clock_timestamp()'),
      )
      return clock
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function readSchedules(client: pg.Client): Promise<{ late: boolean; clock: number }> {
  const { rows } = await client.query<{ late: boolean; clock: number }>(
    `SELECT coalesce(bool_or(next_at IS NULL OR next_at <= now() OR retired_at IS NOT NULL), true) AS late,
            date_part('epoch', now()) * 1000 AS clock FROM pgq.schedules`,
  )
  return rows[0] ?? { late: true, clock: 0 }
}

async function countLive(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ live: number }>(
    `SELECT count(*)::integer AS live FROM pgq.jobs WHERE status IN ('pending', 'failed', 'processing')`,
  )
  return rows[0]?.live ?? 0
}

/** The backends of the processes that live. */
async function countConnections(server: Server, fleet: Fleet): Promise<Record<string, number>> {
  const names = fleet.ready('worker').map(({ process }) => process.name)
  return server.ask(DATABASE, async (client) => {
    const { rows } = await client.query<{ name: string; count: number }>(
      `SELECT application_name AS name, count(*)::integer AS count FROM pg_stat_activity
       WHERE application_name = ANY ($1) GROUP BY application_name`,
      [names],
    )
    return Object.fromEntries(rows.map(({ name, count }) => [name, count]))
  })
}

async function countRepeated(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ repeated: number }>(
    'SELECT (count(*) - count(DISTINCT job))::integer AS repeated FROM chaos.loose_effects',
  )
  return rows[0]?.repeated ?? 0
}
