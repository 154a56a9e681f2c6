import { createHash } from 'node:crypto'
import type { BenchPayload } from '../contestants/contestant.ts'

const SMALLEST_BYTES = 100
const LARGEST_BYTES = 10_000

/** A small payload, as most are that only name a row. */
export function smallPayload(n: number): BenchPayload {
  return { n, orderId: `order-${n}` }
}

/** The same payloads in bulks. */
export function bulksOf(jobs: number, size: number): BenchPayload[][] {
  const bulks: BenchPayload[][] = []
  for (let from = 0; from < jobs; from += size) {
    bulks.push(Array.from({ length: Math.min(size, jobs - from) }, (_, index) => smallPayload(from + index)))
  }
  return bulks
}

/** A payload of 100 B to 10 kB, the same for the same number; small ones are more frequent than large ones. */
export function variedPayload(n: number): BenchPayload {
  const bytes = SMALLEST_BYTES * (LARGEST_BYTES / SMALLEST_BYTES) ** share(n)
  const filler = RANDOM_TEXT.slice(0, Math.max(0, Math.round(bytes) - 50))
  return { ...smallPayload(n), filler }
}

/** Spreads numbers evenly over 0 to 1, without a pattern that a queue or a priority could follow. */
const share = (n: number): number => (n * 0.618_033_988_749_895) % 1

/** Text that a database can't compress away. */
const RANDOM_TEXT = Array.from({ length: LARGEST_BYTES / 40 }, (_, index) =>
  createHash('sha256').update(`${index}`).digest('base64').slice(0, 40),
).join('')
