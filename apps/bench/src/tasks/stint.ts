import type { Contestant } from '../contestants/contestant.ts'
import { Sightings } from './sightings.ts'

/** What a worker shall do. */
export interface StintOptions {
  readonly queues: readonly string[]
  /** How many jobs there are, for this worker and others. */
  readonly jobs: number
  /** How many handlers run at once. @default the contestant's settings */
  readonly handlers?: number
  /** Every so many jobs one fails. @default never */
  readonly failEvery?: number
  /** What handlers do besides. @default nothing */
  readonly handler?: () => Promise<void>
}

/** What it has done. Instants are of the machine's monotonic clock, in ms, so that processes can be compared. */
export interface StintReport {
  /** Attempts that have ended. */
  readonly ended: number
  /** Different jobs that were handled; `undefined` where there are no handlers. */
  readonly handled: number | undefined
  readonly repeated: number
  readonly begunMs: number
  readonly endedMs: number
  /** CPU time of this process between the two, in µs. */
  readonly cpuMicros: number
}

/** When nothing happens for so long, nothing will, in ms. */
const STUCK_MS = 60_000
const LOOK_EVERY_MS = 250

/** A worker at work. Its clock runs from the first handler to the last end of an attempt, so that no start-up counts. */
export class Stint {
  readonly #options: StintOptions
  readonly #isBare: boolean
  readonly #sightings: Sightings
  #stop: (() => Promise<unknown>) | undefined
  #ended = 0
  #begunMs: number | undefined
  #endedMs = 0
  #cpuBegun: NodeJS.CpuUsage = { user: 0, system: 0 }
  #cpuMicros: number | undefined
  #onDone: (() => void) | undefined

  private constructor(options: StintOptions, isBare: boolean) {
    this.#isBare = isBare
    this.#options = options
    this.#sightings = new Sightings(options.jobs)
  }

  /** Starts a worker. */
  static async start(contestant: Contestant, options: StintOptions): Promise<Stint> {
    const stint = new Stint(options, contestant.isBare ?? false)
    stint.#stop = await contestant.startWorker({
      queues: options.queues,
      ...(options.handlers !== undefined && { handlers: options.handlers }),
      handle: ({ n }) => stint.#handle(n),
      onEnded: () => stint.#onEnded(),
      onBegun: () => stint.#begin(),
    })
    return stint
  }

  /** How many attempts have ended. */
  get ended(): number {
    return this.#ended
  }

  /**
   * Waits until as many attempts have ended as there are jobs.
   * @throws Error when nothing has happened for a minute
   */
  async done(): Promise<void> {
    let [before, lastMs] = [-1, now()]
    await new Promise<void>((resolve, reject) => {
      const look = setInterval(() => {
        if (this.#ended !== before) [before, lastMs] = [this.#ended, now()]
        else if (now() - lastMs > STUCK_MS) settle(() => reject(new Error(this.#stuck())))
      }, LOOK_EVERY_MS)
      const settle = (how: () => void): void => {
        clearInterval(look)
        how()
      }
      this.#onDone = () => settle(resolve)
      if (this.#ended >= this.#options.jobs) settle(resolve)
    })
  }

  /** Stops the worker, and says what it did. */
  async finish(): Promise<StintReport> {
    await this.#stop?.()
    const { distinct, repeated } = this.#sightings
    return {
      ended: this.#ended,
      handled: this.#isBare ? undefined : distinct,
      repeated,
      begunMs: this.#begunMs ?? 0,
      endedMs: this.#endedMs,
      cpuMicros: this.#cpuMicros ?? this.#cpuSinceBegun(),
    }
  }

  #stuck(): string {
    return `${this.#ended} of ${this.#options.jobs} jobs are done, and then nothing happened for a minute`
  }

  #handle(n: number): void | Promise<void> {
    if (this.#begunMs === undefined) this.#begin()
    this.#sightings.add(n)
    const { failEvery, handler } = this.#options
    if (failEvery !== undefined && n % failEvery === 0) throw new Error('fails, as one in a hundred does')
    return handler?.()
  }

  #begin(): void {
    if (this.#begunMs !== undefined) return
    this.#begunMs = now()
    this.#cpuBegun = process.cpuUsage()
  }

  #onEnded(): void {
    this.#ended++
    this.#endedMs = now()
    if (this.#ended !== this.#options.jobs) return
    this.#cpuMicros = this.#cpuSinceBegun()
    this.#onDone?.()
  }

  #cpuSinceBegun(): number {
    const { user, system } = process.cpuUsage(this.#cpuBegun)
    return user + system
  }
}

/** A clock that several processes agree about to within a millisecond, in ms. */
const now = (): number => performance.timeOrigin + performance.now()
