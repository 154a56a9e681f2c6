import type pg from 'pg'
import type { ClientLog } from '../history/client-log.ts'
import type { Berth, Fleet } from '../process/fleet.ts'
import type { Random } from '../random.ts'
import type { Server } from '../server.ts'

/** What can go wrong, and how often it does beside the others. */
export const FAULTS = {
  /** SIGKILL. */
  kill: 8,
  /** SIGSTOP for longer than the lease, then SIGCONT. */
  freeze: 3,
  /** SIGTERM, as a deployment sends it. */
  stop: 2,
  /** pg_terminate_backend, of a third of all connections. */
  terminate: 6,
  /** The server crashes and recovers (`restart -m immediate`). */
  restart: 1,
  /** All connections of a process are cut. */
  cut: 3,
  /** Nothing gets through for longer than the lease, and nobody is told. */
  stall: 4,
  /** Connections end on one side only. */
  halfClose: 2,
  /** Everything takes longer. */
  delay: 2,
  /** A COMMIT is carried out, and its answer never comes. */
  eatCommit: 4,
  /** The same for whatever is sent next. */
  eatReply: 3,
  /** The event loop of a process is held up for longer than the lease. */
  block: 2,
  /** The clock of a process is set, by up to a day. */
  skew: 2,
  /** No room for data and WAL. */
  diskFull: 1,
  /** Autovacuum is off. */
  autovacuumOff: 1,
  /** A transaction holds an old snapshot. */
  pinnedSnapshot: 1,
} as const

/** One of them. */
export type FaultKind = keyof typeof FAULTS
/** Their names. */
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[]

/** What faults need. */
export interface FaultDeps {
  readonly server: Server
  readonly database: string
  readonly fleet: Fleet
  readonly random: Random
  readonly log: ClientLog
  readonly leaseMs: number
  /** Resolves after some time, or at once when the faults are over. */
  readonly pause: (ms: number) => Promise<void>
}

/** Has a fault happen and be over again. Returns how often it happened: 0 when there was nobody to whom it could. */
export async function inflict(kind: FaultKind, deps: FaultDeps): Promise<number> {
  const { fleet, random, log } = deps
  const write = (berth?: Berth, detail?: string): void =>
    log.write({
      op: 'fault',
      kind,
      ...(berth && { process: berth.process.name }),
      ...(detail !== undefined && { detail }),
    })
  switch (kind) {
    case 'kill':
    case 'freeze':
    case 'block':
    case 'skew':
    case 'stop':
      return onProcess(kind, deps, write)
    case 'cut':
    case 'stall':
    case 'halfClose':
    case 'delay':
    case 'eatCommit':
    case 'eatReply': {
      const berths = fleet.ready().filter(({ proxy }) => proxy.size > 0)
      return berths.length === 0 ? 0 : onNetwork(kind, random.pick(berths), deps, write)
    }
    default:
      return onServer(kind, deps, write)
  }
}

type Write = (berth?: Berth, detail?: string) => void

async function onProcess(
  kind: 'kill' | 'freeze' | 'block' | 'skew' | 'stop',
  { fleet, random, leaseMs, pause }: FaultDeps,
  write: Write,
): Promise<number> {
  // Producers are killed as well, now and then.
  const role = kind === 'stop' || !random.chance(0.2) ? 'worker' : 'producer'
  const berths = fleet.ready(role).filter(({ process }) => !process.isFrozen)
  if (berths.length === 0) return 0
  const berth = random.pick(berths)
  const { process } = berth
  const longMs = leaseMs * (1.5 + 2 * random.next())
  switch (kind) {
    case 'kill':
      write(berth)
      return Number(process.kill())
    case 'stop':
      write(berth)
      process.askToStop()
      await process.exited
      return 1
    case 'freeze': {
      write(berth, `${Math.round(longMs)} ms`)
      process.freeze()
      const frozenAt = performance.now()
      await pause(longMs)
      // One that the end of the faults cuts short is none.
      return Number(process.thaw() && performance.now() - frozenAt > leaseMs)
    }
    case 'block':
      write(berth, `${Math.round(longMs)} ms`)
      return Number(await process.tell({ do: 'block', ms: longMs }))
    case 'skew': {
      const ms = random.pick([-86_400_000, -3_600_000, -60_000, 0, 60_000, 3_600_000, 86_400_000])
      write(berth, `${ms} ms`)
      return Number(await process.tell({ do: 'skew', ms }))
    }
  }
}

async function onNetwork(
  kind: 'cut' | 'stall' | 'halfClose' | 'delay' | 'eatCommit' | 'eatReply',
  berth: Berth,
  { random, leaseMs, pause }: FaultDeps,
  write: Write,
): Promise<number> {
  const { proxy } = berth
  switch (kind) {
    case 'cut':
      write(berth)
      proxy.cut()
      return 1
    case 'stall':
      write(berth)
      proxy.stall()
      await pause(leaseMs * (1.2 + 2 * random.next()))
      proxy.resume()
      return 1
    case 'halfClose': {
      const side = random.pick(['client', 'server'] as const)
      write(berth, side)
      proxy.halfClose(side)
      await pause(leaseMs * (0.5 + 2 * random.next()))
      proxy.cutHalfClosed()
      return 1
    }
    case 'delay':
      write(berth)
      proxy.delay(random.integer(20, 300))
      await pause(random.integer(500, 2_000))
      proxy.delay(0)
      return 1
    case 'eatCommit':
    case 'eatReply': {
      // COMMIT as a simple query is a text of its own; everything that commits by itself is met by the other kind.
      const happened = await proxy.trap(kind === 'eatCommit' ? /COMMIT\0/ : /[QBP]/, 3_000)
      if (happened) write(berth)
      return Number(happened)
    }
  }
}

async function onServer(
  kind: 'terminate' | 'restart' | 'diskFull' | 'autovacuumOff' | 'pinnedSnapshot',
  { server, database, random, leaseMs, pause }: FaultDeps,
  write: Write,
): Promise<number> {
  switch (kind) {
    case 'terminate': {
      write()
      const share = random.next() * 0.6
      return server.ask(database, async (client) => {
        const { rows } = await client.query<{ ended: number }>(
          `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))::integer AS ended FROM pg_stat_activity
           WHERE datname = current_database() AND application_name ~ '^(worker|producer)-' AND random() < $1`,
          [share],
        )
        return rows[0]?.ended ?? 0
      })
    }
    case 'restart':
      write(undefined, 'begins')
      await server.postgres.restart('immediate')
      write(undefined, 'is over')
      return 1
    case 'diskFull':
      return fillDisk(server, pause, write)
    case 'autovacuumOff': {
      write()
      await setting(server, 'autovacuum', 'off')
      await pause(10 * leaseMs)
      await setting(server, 'autovacuum', undefined)
      return 1
    }
    case 'pinnedSnapshot': {
      const client = await pin(server, database)
      if (!client) return 0
      write()
      await pause(10 * leaseMs)
      await client.end().catch(() => {})
      return 1
    }
  }
}

/** The disk is filled until the server has said that it is, and a while longer. It may have gone down by then. */
async function fillDisk(server: Server, pause: FaultDeps['pause'], write: Write): Promise<number> {
  const { disk } = server
  if (typeof disk === 'string') return 0
  write(undefined, 'begins')
  const before = server.fullDisk
  const empty = disk.fill()
  try {
    for (let i = 0; i < 50 && server.fullDisk === before; i++) await pause(100)
    await pause(1_000)
  } finally {
    empty()
  }
  for (let i = 0; i < 50 && !(await server.isUp()); i++)
    await new Promise((resolve) => setTimeout(resolve, 100))
  if (!(await server.isUp())) await server.postgres.restart('immediate')
  write(undefined, 'is over')
  return server.fullDisk > before ? 1 : 0
}

async function setting(server: Server, name: string, value: string | undefined): Promise<void> {
  await server.ask('postgres', async (client) => {
    await client.query(
      value === undefined ? `ALTER SYSTEM RESET ${name}` : `ALTER SYSTEM SET ${name} = ${value}`,
    )
    await client.query('SELECT pg_reload_conf()')
  })
}

async function pin(server: Server, database: string): Promise<pg.Client | undefined> {
  try {
    const client = await server.connect('harness', database)
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await client.query('SELECT count(*) FROM pg_class')
    return client
  } catch {
    return undefined
  }
}
