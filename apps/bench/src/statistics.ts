/** The middle of some numbers; between the two middle ones if their count is even. NaN for none. */
export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** The value below which this share of the numbers lies, in percent, interpolated between neighbours. NaN for none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = (percent / 100) * (sorted.length - 1)
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}

/** Whether a figure is good when it is high, as jobs per second are, or when it is low, as milliseconds are. */
export type Better = 'higher' | 'lower'

/** How many times better our figure is than theirs: above 1 we are better, whichever way the figure goes. */
export function ratio(ours: number, theirs: number, better: Better): number {
  return better === 'higher' ? ours / theirs : theirs / ours
}

/** Leaves three significant digits, or all digits before the point. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
