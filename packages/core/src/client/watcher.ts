import { PgqError } from '../errors.ts'
import type { Events } from '../events.ts'
import type { JobRecord } from '../job/job.ts'
import { hasEnded } from '../job/status.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { Loop } from '../runtime/loop.ts'
import { knownOptions } from '../runtime/options.ts'
import type { Tables } from '../sql/statement.ts'
import type { Database } from '../store/database.ts'
import { JobReader } from '../store/job-reader.ts'
import { jobId } from './filter.ts'
import { Watch } from './watch.ts'

/** How a job is watched. */
export interface WatchOptions {
  /** Ends the watch; the loop over it then throws the signal's reason. */
  readonly signal?: AbortSignal
  /** The longest time between two looks, 20 ms to 1 m. @default 250ms */
  readonly interval?: Duration
}

/** The most jobs that one statement asks for. */
const CHUNK = 1_000

/**
 * Follows jobs for whoever wants to see them change. All watches of a process share one statement for each look, which
 * carries only versions; a job is read again when its version is another one. Nothing runs while nobody watches.
 */
export class Watcher {
  readonly #database: Database
  readonly #reader: JobReader
  readonly #watches = new Set<Watch>()
  readonly #loop: Loop
  #isClosed = false

  constructor(deps: { database: Database; tables: Tables; events: Events }) {
    this.#database = deps.database
    this.#reader = new JobReader(deps.tables)
    this.#loop = new Loop({
      step: () => this.#look(),
      onError: (error) => deps.events.emit('error', { where: 'watching jobs', error }),
    })
  }

  /**
   * The job as it is now, and then whenever it has changed, until it has ended or is gone.
   * @throws PgqError INVALID_ID, INVALID_OPTION
   */
  watch(id: string, options: WatchOptions): AsyncIterableIterator<JobRecord> {
    knownOptions('watch', options, ['signal', 'interval'])
    const { signal, interval = 250 } = options
    const watch = new Watch(jobId('id', id), durationMs('interval', interval, { min: 20, max: 60_000 }))
    const sights = this.#sights(watch, signal)
    return {
      next: () => sights.next(),
      // A generator that waits hears of its end only after what it waits for, which may never come.
      return: () => {
        watch.end()
        return sights.return(undefined)
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async *#sights(
    watch: Watch,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<JobRecord, undefined, undefined> {
    signal?.throwIfAborted()
    // It may have been made long before anybody asks it for the first sight.
    if (this.#isClosed) throw closed()
    const abort = (): void => watch.fail(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    this.#add(watch)
    try {
      for (let job = await watch.next(); job; job = await watch.next()) {
        yield job
        if (hasEnded(job.status)) return
      }
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#remove(watch)
    }
  }

  /** Ends every watch with an error. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const watch of this.#watches) watch.fail(closed())
    this.#watches.clear()
    await this.#loop.stop()
  }

  #add(watch: Watch): void {
    this.#watches.add(watch)
    if (this.#watches.size === 1) void this.#loop.start()
    else this.#loop.wake()
  }

  #remove(watch: Watch): void {
    this.#watches.delete(watch)
    if (this.#watches.size === 0) void this.#loop.stop()
  }

  /** Looks once, and returns how long to wait until the next look. */
  async #look(): Promise<number> {
    const watches = [...this.#watches]
    const ids = [...new Set(watches.map((watch) => watch.id))]
    for (let i = 0; i < ids.length; i += CHUNK) await this.#lookAt(ids.slice(i, i + CHUNK), watches)
    return Math.min(60_000, ...Array.from(this.#watches, (watch) => watch.intervalMs))
  }

  async #lookAt(ids: readonly string[], watches: readonly Watch[]): Promise<void> {
    const versions = await this.#reader.versions(this.#database, ids)
    const asked = new Set(ids)
    const changed = watches.filter(
      (watch) => asked.has(watch.id) && watch.version !== (versions.get(watch.id) ?? null),
    )
    if (changed.length === 0) return
    const wanted = [...new Set(changed.map((watch) => watch.id))].filter((id) => versions.has(id))
    const jobs = wanted.length > 0 ? await this.#reader.getMany(this.#database, wanted) : []
    const jobsById = new Map(jobs.map((job) => [job.id, job]))
    for (const watch of changed) watch.show(versions.get(watch.id) ?? null, jobsById.get(watch.id))
  }
}

const closed = (): PgqError => new PgqError('CLOSED', 'this pgq was closed')
