import { type AttemptError, hasEnded, type JobRecord } from '@pgq/core'
import type { Command } from 'commander'
import { action, type Call, type Outcome } from '../../call.ts'
import { EXIT, type ExitCode } from '../../exit-code.ts'
import { printable, printableJson, printableLines } from '../../terminal/printable.ts'
import { fromNow, moment } from '../../terminal/quantities.ts'
import type { Screen } from '../../terminal/screen.ts'
import { statusColour } from './status-colour.ts'

/** `pgq jobs show`. */
export function addShow(jobs: Command, outcome: Outcome): void {
  jobs
    .command('show')
    .argument('<id>')
    .description('all about one job: payload, result, progress, what went wrong')
    .action(action(outcome, run))
}

async function run({ pgq, screen, args: [id = ''] }: Call<unknown>): Promise<ExitCode> {
  const job = await pgq.get(id)
  if (!job) return noSuchJob(id, screen)
  screen.answer(job, () => render(job, screen))
  if (!screen.json && !hasEnded(job.status))
    screen.note(screen.color.dim(`Why it stands where it does: pgq jobs explain ${job.id}`))
  return EXIT.done
}

/** Says that there is none. */
export function noSuchJob(id: string, screen: Screen): ExitCode {
  screen.answer(null, () => `There is no job ${printable(id)}: it never was, or its retention is over.`)
  return EXIT.no
}

function render(job: JobRecord, screen: Screen): string {
  const { color } = screen
  const time = (date: Date | null): string | null => date && `${moment(date)}  ${color.dim(fromNow(date))}`
  const facts: readonly (readonly [string, string | null])[] = [
    ['id', job.id],
    ['queue', printable(job.queue)],
    ['status', statusColour(job.status, screen)(job.status)],
    ['attempts', `${job.attempts} of ${job.maxAttempts}`],
    ['priority', String(job.priority)],
    ['fence', String(job.fence)],
    ['unique key', job.uniqueKey && printable(job.uniqueKey)],
    ['group', job.group && printable(job.group)],
    ['created', time(job.createdAt)],
    ['scheduled for', time(job.scheduledFor)],
    ['started', time(job.startedAt)],
    ['ended', time(job.completedAt)],
    ['worker', job.lockedBy],
    ['error', job.error && color.red(printable(job.error))],
  ]
  const widest = Math.max(...facts.map(([name]) => name.length))
  const lines = facts.flatMap(([name, value]) =>
    value === null || value === '' ? [] : [`${color.dim(name.padEnd(widest))}  ${value}`],
  )
  return [lines.join('\n'), ...values(job, screen), ...attempts(job.errors, screen)].join('\n\n')
}

function values(job: JobRecord, { color }: Screen): string[] {
  const shown: [string, unknown][] = [['payload', job.payload]]
  if (job.progress !== null) shown.push(['progress', job.progress])
  if (job.result !== null) shown.push(['result', job.result])
  if (Object.keys(job.metadata).length > 0) shown.push(['metadata', job.metadata])
  return shown.map(([name, value]) => `${color.dim(name)}\n${printableJson(value, 2)}`)
}

/** Entries of the list may have been written by hand, in whatever shape. */
function attempts(
  errors: readonly { readonly [Key in keyof AttemptError]?: unknown }[],
  { color }: Screen,
): string[] {
  return errors.map(({ attempt, at, name, message, stack }) => {
    const when = new Date(text(at))
    const title = color.dim(
      `attempt ${text(attempt)}, ${Number.isNaN(when.getTime()) ? text(at) : moment(when)}`,
    )
    return `${title}\n${color.red(printableLines(stack === undefined ? `${text(name)}: ${text(message)}` : text(stack)))}`
  })
}

const text = (value: unknown): string => (typeof value === 'string' ? value : printableJson(value))
