import { setMaxListeners } from 'node:events'
import type { Random } from '../random.ts'
import { FAULTS, type FaultDeps, type FaultKind, inflict } from './faults.ts'

/** How a run is troubled. */
export interface NemesisOptions {
  readonly kinds: readonly FaultKind[]
  readonly seconds: number
  /** Multiplies how often there is a fault. */
  readonly rate: number
  readonly random: Random
  readonly say: (text: string) => void
}

/** Only one of these at a time: they are all about the server. */
const EXCLUSIVE: ReadonlySet<FaultKind> = new Set(['restart', 'diskFull'])
/** The mean time between two faults, in ms. */
const MEAN_MS = 400

/** Inflicts faults for some time, each kind once before any comes again, and resolves when all of them are over. Returns how many of each kind happened. */
export async function torment(
  deps: Omit<FaultDeps, 'pause' | 'random'>,
  { kinds, seconds, rate, random, say }: NemesisOptions,
): Promise<Record<FaultKind, number>> {
  const counts = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<FaultKind, number>
  const endMs = performance.now() + seconds * 1_000
  const over = new AbortController()
  // As many faults go on at once as there happen to be.
  setMaxListeners(0, over.signal)
  const pause = (ms: number): Promise<void> => pauseFor(ms, over.signal)
  // All kinds have their turn in the first half, however short that is.
  const meanMs = Math.min(MEAN_MS / rate, (seconds * 500) / Math.max(1, kinds.length))
  const queue: FaultKind[] = random.shuffle(kinds)
  const underway = new Set<Promise<void>>()
  let exclusive = Promise.resolve()

  const start = (kind: FaultKind): void => {
    const own = random.fork()
    const happen = async (): Promise<void> => {
      const count = await inflict(kind, { ...deps, random: own, pause }).catch((error: unknown) => {
        say(`${kind} failed: ${error instanceof Error ? error.message : String(error)}`)
        return 0
      })
      counts[kind] += count
      // What found nobody to happen to is tried again before the others, unless it never can.
      if (count === 0 && counts[kind] === 0) queue.push(kind)
    }
    const done = (EXCLUSIVE.has(kind) ? (exclusive = exclusive.then(happen)) : happen()).finally(() =>
      underway.delete(done),
    )
    underway.add(done)
  }

  while (performance.now() < endMs && kinds.length > 0) {
    start(queue.pop() ?? weighted(kinds, random))
    await pause(Math.min(endMs - performance.now(), meanMs * 2 * random.next()))
  }
  await pause(endMs - performance.now())
  over.abort()
  await Promise.all(underway)
  return counts
}

function weighted(kinds: readonly FaultKind[], random: Random): FaultKind {
  let dice = random.next() * kinds.reduce((sum, kind) => sum + FAULTS[kind], 0)
  return kinds.find((kind) => (dice -= FAULTS[kind]) < 0) ?? (kinds[0] as FaultKind)
}

function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
