import { hasEnded, type JobRecord } from '@pgq/core'
import type { Command } from 'commander'
import { action, type Call, type Outcome } from '../../call.ts'
import { EXIT, type ExitCode } from '../../exit-code.ts'
import { printableJson } from '../../terminal/printable.ts'
import { fromNow } from '../../terminal/quantities.ts'
import type { Screen } from '../../terminal/screen.ts'
import { wholeNumber } from '../../whole-number.ts'
import { addFilter, filterOf, type FilterOptions } from './filter-options.ts'
import { statusColour } from './status-colour.ts'

interface Options extends FilterOptions {
  readonly limit?: number
  readonly cursor?: string
}

const LIMIT = 50

/** `pgq jobs list`. */
export function addList(jobs: Command, outcome: Outcome): void {
  addFilter(jobs.command('list').description('the jobs that match, newest first'))
    .option('--limit <number>', `how many, up to 1,000 (default: ${LIMIT})`, wholeNumber(1, 1_000))
    .option('--cursor <id>', 'go on where the page before ended')
    .action(action<Options>(outcome, run))
}

async function run({ pgq, screen, options }: Call<Options>): Promise<ExitCode> {
  const { limit: most = LIMIT, cursor } = options
  const page = await screen.during(
    'looking',
    pgq.list({ ...filterOf(options), limit: most, ...(cursor !== undefined && { cursor }) }),
  )
  screen.answer({ jobs: page.jobs, cursor: page.cursor ?? null }, () =>
    page.jobs.length === 0 ? 'No jobs match.' : jobTable(page.jobs, screen),
  )
  if (page.cursor !== undefined && !screen.json)
    screen.note(screen.color.dim(`There are more: --cursor ${page.cursor}`))
  return EXIT.done
}

function jobTable(jobs: readonly JobRecord[], screen: Screen): string {
  return screen.table<JobRecord>(
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'QUEUE', value: ({ queue }) => queue, shrinks: true },
      {
        title: 'STATUS',
        value: ({ status }) => status,
        style: (cell, { status }) => statusColour(status, screen)(cell),
      },
      {
        title: 'TRIES',
        align: 'right',
        optional: true,
        value: ({ attempts, maxAttempts }) => `${attempts}/${maxAttempts}`,
      },
      { title: 'WHEN', value: whenOf },
      { title: 'ABOUT', value: aboutOf, shrinks: true, optional: true, style: screen.color.dim },
    ],
    jobs,
  )
}

/** The moment that matters most: when it ended, when it was begun, when it is due. */
function whenOf({ status, completedAt, startedAt, scheduledFor }: JobRecord): string {
  const when = hasEnded(status) ? completedAt : status === 'processing' ? startedAt : scheduledFor
  return when ? fromNow(when) : '-'
}

/** What went wrong, or what it is about. A payload may be long: its beginning says enough. */
function aboutOf({ error, status, payload }: JobRecord): string {
  if (error !== null && status !== 'completed') return error.slice(0, 300)
  return printableJson(payload).slice(0, 300)
}
