import { hasEnded, JOB_STATUSES, type JobCount, type JobStatus, type JobTarget, type Pgq } from '@pgq/core'
import type { Command } from 'commander'
import { action, type Call, type Outcome } from '../../call.ts'
import { EXIT, type ExitCode, UsageError } from '../../exit-code.ts'
import { count, counted } from '../../terminal/quantities.ts'
import type { Screen } from '../../terminal/screen.ts'
import { addFilter, filterOf, type FilterOptions } from './filter-options.ts'
import { changeInterruptibly } from './interruptible-change.ts'
import { statusColour } from './status-colour.ts'

/** Something that can be done to jobs. */
interface Change {
  readonly name: 'retry' | 'cancel' | 'redrive' | 'delete'
  readonly description: string
  /** As in: 3 jobs were … */
  readonly past: string
  /** Whether it can't be undone. */
  readonly isFinal: boolean
  readonly appliesTo: (status: JobStatus) => boolean
  /** What may have become of those that it changed nothing of. */
  readonly others: string
}

const MOVED_ON = 'the others have moved on meanwhile'
const MOVED_ON_OR_HELD = `${MOVED_ON}, or a live job holds their unique key`

const CHANGES: readonly Change[] = [
  {
    name: 'retry',
    description: 'make waiting jobs due now, and start dead and cancelled ones again with all their attempts',
    past: 'retried',
    isFinal: false,
    appliesTo: (status) => status !== 'processing' && status !== 'completed',
    others: MOVED_ON_OR_HELD,
  },
  {
    name: 'cancel',
    description: 'stop jobs for good, waiting or running',
    past: 'cancelled',
    isFinal: true,
    appliesTo: (status) => !hasEnded(status),
    others: MOVED_ON,
  },
  {
    name: 'redrive',
    description: 'move dead jobs back to wait, with all their attempts again',
    past: 'redriven',
    isFinal: false,
    appliesTo: (status) => status === 'dead',
    others: MOVED_ON_OR_HELD,
  },
  {
    name: 'delete',
    description: 'delete jobs that are not running',
    past: 'deleted',
    isFinal: true,
    appliesTo: (status) => status !== 'processing',
    others: MOVED_ON,
  },
]

interface Options extends FilterOptions {
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
}

/** `pgq jobs retry`, `cancel`, `redrive` and `delete`. */
export function addChanges(jobs: Command, outcome: Outcome): void {
  for (const change of CHANGES) {
    const command = addFilter(
      jobs
        .command(change.name)
        .argument('[ids...]', 'the jobs; or say by options which are meant')
        .description(change.description),
    )
    if (change.name === 'redrive') command.option('--all', 'every dead job')
    if (change.name === 'cancel') command.option('--reason <text>', 'why: it becomes the error of the jobs')
    command
      .option('--dry-run', 'only say how many jobs it would be')
      .option('-y, --yes', 'confirmed')
      .action(action<Options>(outcome, (call) => run(change, call)))
  }
}

/** Counts first, says what it would do, asks, does it. */
async function run(change: Change, { pgq, screen, args, options }: Call<Options>): Promise<ExitCode> {
  const target = targetOf(change, args, options)
  const counts = await screen.during('counting', countTargets(pgq, change, target))
  const matching = counts.reduce((sum, { jobs }) => sum + jobs, 0)
  const report = { action: change.name, matching, counts }
  const isByIds = Array.isArray(target)
  if (matching === 0 || options.dryRun) {
    screen.answer({ ...report, changed: 0 }, () => preview(change, counts, screen))
    return isByIds && matching === 0 ? EXIT.no : EXIT.done
  }
  if (!screen.json || !options.yes) screen.note(preview(change, counts, screen))
  const mayAct =
    (isByIds && !change.isFinal) ||
    (await screen.confirm(`${capital(change.name)} ${matching === 1 ? 'it' : 'them'}?`))
  if (!mayAct) {
    screen.note('Nothing was changed.')
    return EXIT.notConfirmed
  }
  const { changed, isInterrupted } = await changeInterruptibly(screen, change.name, matching, (onProgress) =>
    pgq[change.name](target, { onProgress, ...(options.reason !== undefined && { reason: options.reason }) }),
  )
  screen.answer({ ...report, changed, isInterrupted }, () => result(change, matching, changed, isInterrupted))
  return isInterrupted ? EXIT.interrupted : EXIT.done
}

function targetOf(change: Change, ids: readonly string[], options: Options): JobTarget {
  const filter = filterOf(options)
  const isFiltered = Object.keys(filter).length > 0
  if (ids.length > 0) {
    if (isFiltered || options.all)
      throw new UsageError('give ids or options that say which jobs are meant, not both')
    return [...new Set(ids)]
  }
  if (!isFiltered && !options.all)
    throw new UsageError(
      `which jobs? Give their ids, or options such as --queue and --status${change.name === 'redrive' ? ', or --all' : ''}`,
    )
  const wrong = options.status?.find((status) => !change.appliesTo(status))
  if (wrong !== undefined) throw new UsageError(`${change.name} does nothing to jobs that are ${wrong}`)
  return { ...filter, status: options.status ?? JOB_STATUSES.filter(change.appliesTo) }
}

async function countTargets(pgq: Pgq, change: Change, target: JobTarget): Promise<JobCount[]> {
  if (typeof target === 'string' || !('length' in target)) return pgq.counts(target as object)
  const counts = new Map<string, { queue: string; status: JobStatus; jobs: number }>()
  for (const id of target) {
    const job = await pgq.get(id)
    if (!job || !change.appliesTo(job.status)) continue
    const key = JSON.stringify([job.queue, job.status])
    const entry = counts.get(key) ?? { queue: job.queue, status: job.status, jobs: 0 }
    counts.set(key, { ...entry, jobs: entry.jobs + 1 })
  }
  return [...counts.values()]
}

function preview(change: Change, counts: readonly JobCount[], screen: Screen): string {
  const matching = counts.reduce((sum, { jobs }) => sum + jobs, 0)
  if (matching === 0) return `There is no job to ${change.name}.`
  const rows = screen.table<JobCount>(
    [
      { title: 'QUEUE', value: ({ queue }) => queue, shrinks: true },
      {
        title: 'STATUS',
        value: ({ status }) => status,
        style: (cell, { status }) => statusColour(status, screen)(cell),
      },
      { title: 'JOBS', align: 'right', value: ({ jobs }) => count(jobs) },
    ],
    counts,
  )
  return `This would ${change.name} ${counted(matching, 'job')}:\n${rows}`
}

function result(change: Change, matching: number, changed: number, isInterrupted: boolean): string {
  const what = `${counted(changed, 'job')} ${changed === 1 ? 'was' : 'were'} ${change.past}`
  if (isInterrupted) return `interrupted: ${what} before, of ${count(matching)}`
  return changed >= matching ? what : `${what}, of ${count(matching)}: ${change.others}`
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
