import { PgqError, show } from '../errors.ts'
import type { Job, Json } from '../job/job.ts'
import type { JobContext, OpenChunk } from './handler.ts'

/** What `complete` and `fail` return: it stands for a job that has its outcome in a list of results. */
const MARKED: unique symbol = Symbol.for('pgq.marked')
export type Marked = typeof MARKED

/** The function of a handler of chunks, whatever its queue. */
type Run = (jobs: readonly Job[], ctx: ChunkAccess) => unknown

/** One job in a chunk: the attempt behind it waits for its outcome. */
interface Member {
  readonly job: Job
  readonly ctx: JobContext
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Several attempts that share one run of a function. Each is an attempt like any other, whose handler is to join the chunk
 * and wait for its outcome; so its timeout, its cancellation and its settlement are nothing special. The function begins
 * when every job has joined or has ended without: a payload may have been refused.
 */
export class Chunk implements OpenChunk {
  readonly ended: Promise<void>
  readonly #queue: string
  readonly #run: Run
  readonly #members = new Map<string, Member>()
  /** The jobs without an outcome. */
  readonly #open = new Set<string>()
  /** Those that have ended before the function began. */
  #missing: number
  #begun = false
  #end: () => void = () => {}
  #fail: (error: unknown) => void = () => {}

  /** @param jobs how many are to join */
  constructor(queue: string, run: Run, jobs: number) {
    this.#queue = queue
    this.#run = run
    this.#missing = jobs
    this.ended = new Promise((resolve, reject) => {
      this.#end = resolve
      this.#fail = reject
    })
    this.ended.catch(() => {}) // of a chunk of one nobody looks at it
  }

  readonly join = (job: Job, ctx: JobContext): Promise<unknown> =>
    new Promise((resolve, reject) => {
      this.#members.set(job.id, { job, ctx, resolve, reject })
      this.#open.add(job.id)
      this.#arrived()
    })

  leave(jobId: string): void {
    if (this.#begun || this.#members.has(jobId)) return
    this.#arrived()
  }

  #arrived(): void {
    if (--this.#missing > 0) return
    this.#begun = true
    if (this.#members.size === 0) return this.#end()
    void this.#runAll()
  }

  /** Gives every job its outcome. What goes wrong after the last one has it belongs to no job: `ended` rejects. */
  async #runAll(): Promise<void> {
    const jobs = [...this.#members.values()].map((member) => member.job)
    try {
      const results: unknown = await this.#run(jobs, new ChunkAccess(this))
      this.#completeAll(jobs, results)
      this.#end()
    } catch (error) {
      if (this.#open.size === 0) return this.#fail(error)
      for (const id of this.#open) this.#members.get(id)?.reject(error)
      this.#open.clear()
      this.#end()
    }
  }

  #completeAll(jobs: readonly Job[], results: unknown): void {
    if (results !== undefined && !(Array.isArray(results) && results.length === jobs.length)) {
      throw new PgqError(
        'INVALID_RESULT',
        `the handler of chunks of queue ${show(this.#queue)} returned ${show(results)} for ${jobs.length} jobs: return nothing, or one result for each job in their order`,
      )
    }
    const list = results as readonly unknown[] | undefined
    for (const [index, { id }] of jobs.entries()) this.settle(id, (member) => member.resolve(list?.[index]))
  }

  /** The member that a job of the handler stands for. */
  member(job: { readonly id: string }): Member {
    const member = this.#members.get(job?.id)
    if (member) return member
    throw new TypeError(`${show(job?.id ?? job)} is not a job of this chunk of queue ${show(this.#queue)}`)
  }

  /** Gives a job its outcome, unless it has one. */
  settle(id: string, how: (member: Member) => void): void {
    if (!this.#open.delete(id)) return
    how(this.#members.get(id) as Member)
    this.onSettled()
  }

  /** The contexts of those that have no outcome yet. */
  get open(): JobContext[] {
    return [...this.#open].map((id) => (this.#members.get(id) as Member).ctx)
  }

  /** Told when a job has got its outcome. */
  onSettled: () => void = () => {}
}

/** What the function of a chunk is given to reach its jobs by. */
class ChunkAccess {
  readonly #chunk: Chunk
  #controller: AbortController | undefined

  constructor(chunk: Chunk) {
    this.#chunk = chunk
  }

  /** Made when somebody looks at it; it listens to the signals of all jobs then. */
  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal
    const controller = new AbortController()
    this.#controller = controller
    const look = (): void => {
      const open = this.#chunk.open
      const last = open.at(-1)
      if (last && open.every(({ signal }) => signal.aborted)) controller.abort(last.signal.reason)
    }
    for (const { signal } of this.#chunk.open) signal.addEventListener('abort', look, { once: true })
    this.#chunk.onSettled = look
    look()
    return controller.signal
  }

  signalOf(job: { readonly id: string }): AbortSignal {
    return this.#chunk.member(job).ctx.signal
  }

  progress(job: { readonly id: string }, value: Json): Promise<void> {
    return this.#chunk.member(job).ctx.progress(value)
  }

  complete(job: { readonly id: string }, result: unknown): Marked {
    this.#chunk.settle(this.#chunk.member(job).job.id, (member) => member.resolve(result))
    return MARKED
  }

  fail(job: { readonly id: string }, error: unknown): Marked {
    this.#chunk.settle(this.#chunk.member(job).job.id, (member) => member.reject(error))
    return MARKED
  }
}
