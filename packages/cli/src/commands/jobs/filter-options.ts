import { JOB_STATUSES, type JobFilter, type JobStatus } from '@pgq/core'
import { type Command, InvalidArgumentError } from 'commander'

/** What says which jobs are meant. */
export interface FilterOptions {
  readonly queue?: string
  readonly status?: readonly JobStatus[]
  readonly uniqueKey?: string
  readonly payload?: unknown
  readonly error?: string
  readonly createdAfter?: Date
  readonly createdBefore?: Date
}

/** Gives a command the options that filter jobs. */
export function addFilter(command: Command): Command {
  return command
    .option('--queue <queue>', 'of this queue')
    .option('--status <status>', `${JOB_STATUSES.join(', ')}; several with commas`, statuses)
    .option('--unique-key <key>', 'with this unique key')
    .option('--payload <json>', 'whose payload contains this, as in \'{"customer":{"id":7}}\'', json)
    .option('--error <text>', 'whose last error contains this, in any case')
    .option('--created-after <when>', 'as in 2026-11-20T12:00Z, or 90m for that long ago', instant)
    .option('--created-before <when>', 'the same', instant)
}

/** The filter that the options make. */
export function filterOf(options: FilterOptions): JobFilter {
  const { queue, status, uniqueKey, payload, error, createdAfter, createdBefore } = options
  return {
    ...(queue !== undefined && { queue }),
    ...(status !== undefined && { status }),
    ...(uniqueKey !== undefined && { uniqueKey }),
    ...(payload !== undefined && { payload }),
    ...(error !== undefined && { error }),
    ...(createdAfter !== undefined && { createdAfter }),
    ...(createdBefore !== undefined && { createdBefore }),
  }
}

function statuses(text: string, before: readonly JobStatus[] = []): readonly JobStatus[] {
  const given = text.split(',').map((part) => part.trim())
  const wrong = given.find((status) => !JOB_STATUSES.some((known) => known === status))
  if (wrong !== undefined) throw new InvalidArgumentError(`There are ${JOB_STATUSES.join(', ')}.`)
  return [...before, ...(given as JobStatus[])]
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidArgumentError('It must be JSON, in quotes that your shell keeps.')
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A moment as ISO 8601, or as a length of time before now. */
function instant(text: string): Date {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? []
  if (amount !== undefined) return new Date(Date.now() - Number(amount) * (UNITS[unit] ?? 0))
  const date = new Date(text)
  if (/^\d{4}-/.test(text) && !Number.isNaN(date.getTime())) return date
  throw new InvalidArgumentError(
    'It must be a date such as 2026-11-20 or 2026-11-20T12:00Z, or a time such as 30s, 90m, 6h, 2d.',
  )
}
