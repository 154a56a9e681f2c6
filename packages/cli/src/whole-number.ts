import { InvalidArgumentError } from 'commander'
import { count } from './terminal/quantities.ts'

/** Makes what reads the value of an option that is a whole number, `least` to `most`. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`It must be a whole number, ${least} to ${count(most)}.`)
  }
}
