import { Proxy } from '../faults/proxy.ts'
import type { ClientLog } from '../history/client-log.ts'
import type { Random } from '../random.ts'
import type { Server } from '../server.ts'
import { ClientProcess, type Role } from './client-process.ts'

/** How a fleet is set up. */
export interface FleetOptions {
  readonly server: Server
  readonly database: string
  readonly log: ClientLog
  readonly logs: string
  readonly random: Random
  readonly leaseMs: number
  readonly workers: number
  readonly producers: number
  readonly pace: number
  readonly core: string | undefined
  /** Whether the clocks of some processes are off. */
  readonly skewed: boolean
  /** Told of each process whose clock is off. */
  readonly onSkew: (process: string) => void
}

/** One place for a process: when that ends another one takes it, behind the same proxy. */
export interface Berth {
  readonly role: Role
  readonly proxy: Proxy
  process: ClientProcess
}

const HOUR_MS = 3_600_000

/** The processes of a run: as many as there should be, whatever ends. */
export class Fleet {
  readonly berths: Berth[] = []
  readonly #options: FleetOptions
  #launched = 0
  #closing = new Set<Role>()

  private constructor(options: FleetOptions) {
    this.#options = options
  }

  static async launch(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options)
    const roles: Role[] = [
      ...Array<Role>(options.workers).fill('worker'),
      ...Array<Role>(options.producers).fill('producer'),
    ]
    for (const role of roles) {
      const proxy = await Proxy.start(options.server.postgres.port)
      const berth: Berth = { role, proxy, process: fleet.#start(role, proxy) }
      fleet.berths.push(berth)
      void fleet.#keep(berth)
    }
    return fleet
  }

  /** Those that work at this moment. */
  ready(role?: Role): Berth[] {
    return this.berths.filter((berth) => berth.process.isReady && (role === undefined || berth.role === role))
  }

  /** Asks the producers to end; those that don't are killed. */
  async finishProducers(withinMs: number): Promise<void> {
    await this.#close('producer', (process) => process.finish(), withinMs)
  }

  /** Asks the workers to stop, and waits until they have. */
  async stopWorkers(withinMs: number): Promise<void> {
    await this.#close('worker', (process) => process.askToStop(), withinMs)
  }

  /** Ends everything at once. */
  async destroy(): Promise<void> {
    for (const role of ['worker', 'producer'] as const)
      await this.#close(role, (process) => process.kill(), 5_000)
    for (const { proxy } of this.berths) proxy.close()
  }

  #start(role: Role, proxy: Proxy): ClientProcess {
    const { server, database, logs, log, random, leaseMs, pace, core, skewed, onSkew } = this.#options
    const name = `${role}-${++this.#launched}`
    const skewMs = skewed && random.chance(0.3) ? random.pick([-24, -1, 1, 24]) * HOUR_MS : 0
    if (skewMs !== 0) onSkew(name)
    const url = server.url(database, proxy.port, name)
    return new ClientProcess(
      role,
      { name, url, core, logs, seed: random.integer(0, 2 ** 31), leaseMs, skewMs, pace },
      log,
    )
  }

  async #keep(berth: Berth): Promise<void> {
    while (!this.#closing.has(berth.role)) {
      await berth.process.exited
      if (!this.#closing.has(berth.role)) berth.process = this.#start(berth.role, berth.proxy)
    }
  }

  async #close(role: Role, end: (process: ClientProcess) => void, withinMs: number): Promise<void> {
    this.#closing.add(role)
    const processes = this.berths.filter((berth) => berth.role === role).map(({ process }) => process)
    for (const process of processes) {
      process.thaw()
      if (!process.hasEnded) end(process)
    }
    const impatience = setTimeout(() => {
      for (const process of processes) if (!process.hasEnded) process.abandon()
    }, withinMs)
    await Promise.all(processes.map(({ exited }) => exited))
    clearTimeout(impatience)
  }
}
