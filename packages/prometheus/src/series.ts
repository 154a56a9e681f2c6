import type { Family, Labels, Sample } from './exposition.ts'

/** A number for each set of labels. */
export class Numbers {
  readonly #series = new Map<string, { readonly labels: Labels; value: number }>()

  add(labels: Labels, by = 1): void {
    this.#at(labels).value += by
  }

  set(labels: Labels, value: number): void {
    this.#at(labels).value = value
  }

  get samples(): Sample[] {
    return [...this.#series.values()].map(({ labels, value }) => ({ labels, value }))
  }

  #at(labels: Labels): { value: number } {
    const key = JSON.stringify(labels)
    const known = this.#series.get(key) ?? { labels, value: 0 }
    this.#series.set(key, known)
    return known
  }
}

/** Upper bounds of the buckets, in seconds: from a millisecond to an hour. */
const BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]

/** A distribution of durations, in seconds, for each set of labels. */
export class Durations {
  readonly #series = new Map<string, { readonly labels: Labels; readonly counts: number[]; sum: number }>()

  observe(labels: Labels, seconds: number): void {
    const key = JSON.stringify(labels)
    const series = this.#series.get(key) ?? { labels, counts: [...BOUNDS, Infinity].map(() => 0), sum: 0 }
    this.#series.set(key, series)
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound)
    const at = bucket < 0 ? BOUNDS.length : bucket
    series.counts[at] = (series.counts[at] as number) + 1
    series.sum += seconds
  }

  get samples(): Sample[] {
    return [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let count = 0
      const buckets = [...BOUNDS, Infinity].map((bound, at): Sample => {
        count += counts[at] as number
        const le = bound === Infinity ? '+Inf' : String(bound)
        return { suffix: '_bucket', labels: { ...labels, le }, value: count }
      })
      return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: count }]
    })
  }
}

/** A metric made of series. */
export function family(
  name: string,
  type: Family['type'],
  help: string,
  { samples }: { readonly samples: readonly Sample[] },
): Family {
  return { name, type, help, samples }
}
