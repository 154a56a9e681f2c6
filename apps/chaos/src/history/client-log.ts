import { closeSync, fdatasync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import type { ClientEvent, ClientRecord } from './records.ts'

// Taken before anything may change `Date`: the clock of the log is that of the machine, whatever the process believes.
const startMs = Date.now() - performance.now()

/** A moment in ms since 1970, by a clock that no fault changes. */
const trueNow = (): number => Math.round((startMs + performance.now()) * 1_000) / 1_000

/** The log of one process: a line for each event. Written at once, so that a SIGKILL loses nothing, and synced on demand. */
export class ClientLog {
  readonly #file: number
  readonly #process: string
  #syncing: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(directory: string, process: string) {
    this.#process = process
    this.#file = openSync(path.join(directory, `${process}.jsonl`), 'a')
  }

  write(event: ClientEvent): void {
    const record: ClientRecord = { t: trueNow(), p: this.#process, ...event }
    writeSync(this.#file, `${JSON.stringify(record)}\n`)
  }

  /** Writes, and resolves when it is on the disk. Those who wait at the same time share a sync. */
  async record(event: ClientEvent): Promise<void> {
    this.write(event)
    await this.#synced()
  }

  close(): void {
    closeSync(this.#file)
  }

  /** A sync that is under way may have begun before the write: the next one is waited for. */
  #synced(): Promise<void> {
    this.#next ??= (this.#syncing ?? Promise.resolve()).then(() => {
      this.#syncing = this.#next
      this.#next = undefined
      return new Promise<void>((resolve, reject) =>
        fdatasync(this.#file, (error) => (error ? reject(error) : resolve())),
      )
    })
    return this.#next
  }
}

/** Reads the logs of all processes, in the order of their times. The last line of a killed process may be half written. */
export function readClientLogs(directory: string): ClientRecord[] {
  const records = readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(path.join(directory, name), 'utf8').split('\n').flatMap(parseLine))
  return records.toSorted((one, other) => one.t - other.t)
}

function parseLine(line: string, index: number, lines: readonly string[]): ClientRecord[] {
  try {
    return line === '' ? [] : [JSON.parse(line) as ClientRecord]
  } catch (error) {
    if (index === lines.length - 1) return []
    throw error
  }
}
