import type { Command } from 'commander'
import type { BoundedCount, Pgq, QueueSurvey } from '@pgq/core'
import { action, type Call, type Outcome } from '../call.ts'
import { EXIT, type ExitCode } from '../exit-code.ts'
import { printable } from '../terminal/printable.ts'
import { count, duration } from '../terminal/quantities.ts'
import type { Screen } from '../terminal/screen.ts'
import type { Column } from '../terminal/table.ts'

/** `pgq queues`. */
export function addQueues(program: Command, outcome: Outcome): void {
  const queues = program.command('queues').description('look at the queues, pause and resume them')
  queues
    .command('list', { isDefault: true })
    .description('all queues, and what each holds (the default)')
    .action(action(outcome, list))
  queues
    .command('pause')
    .argument('<queue>')
    .description('claim nothing of a queue until it is resumed; running jobs go on')
    .option('--reason <text>', 'why, for whoever wonders')
    .action(action(outcome, pause))
  queues
    .command('resume')
    .argument('<queue>')
    .description('let a paused queue go on')
    .action(action(outcome, resume))
}

async function list({ pgq, screen }: Call<unknown>): Promise<ExitCode> {
  const queues = await screen.during('counting', pgq.queues())
  screen.answer({ queues }, () => queueTable(queues, screen))
  return EXIT.done
}

async function pause({ pgq, screen, args, options }: Call<{ readonly reason?: string }>): Promise<ExitCode> {
  const [queue = ''] = args
  const { reason } = options
  const isKnown = await isKnownQueue(pgq, queue)
  const changed = await screen.during('pausing', pgq.pause(queue, reason === undefined ? {} : { reason }))
  screen.answer({ queue, paused: true, changed }, () =>
    changed
      ? `${name(queue)} is paused: nothing of it is claimed any more, and what runs goes on`
      : `${name(queue)} was paused already`,
  )
  if (!isKnown)
    screen.note(
      screen.color.yellow('Nobody has used a queue of that name yet: if it is a slip of the pen, resume it.'),
    )
  return EXIT.done
}

async function resume({ pgq, screen, args }: Call<unknown>): Promise<ExitCode> {
  const [queue = ''] = args
  const changed = await pgq.resume(queue)
  screen.answer({ queue, paused: false, changed }, () =>
    changed ? `${name(queue)} goes on` : `${name(queue)} was not paused`,
  )
  return EXIT.done
}

const isKnownQueue = async (pgq: Pgq, name: string): Promise<boolean> =>
  (await pgq.queues()).some(({ queue }) => queue === name)

const name = (queue: string): string => `the queue ${JSON.stringify(printable(queue))}`

/** The queues for people. What is zero is dim, and what needs somebody stands out. */
export function queueTable(queues: readonly QueueSurvey[], screen: Screen): string {
  if (queues.length === 0) return 'No queues yet: one is there as soon as it has a job or a worker.'
  const { color } = screen
  const number = (
    title: string,
    of: (queue: QueueSurvey) => number | BoundedCount,
    stress: (text: string) => string = String,
  ): Column<QueueSurvey> => ({
    title,
    align: 'right',
    value: (queue) => countText(of(queue)),
    style: (cell, queue) => (countText(of(queue)) === '0' ? color.dim(cell) : stress(cell)),
  })
  return screen.table<QueueSurvey>(
    [
      { title: 'QUEUE', value: ({ queue }) => queue, shrinks: true },
      number('DUE', ({ due }) => due),
      number('RUNNING', ({ processing }) => processing, color.cyan),
      number('DELAYED', ({ delayed }) => delayed),
      { ...number('RETRYING', ({ failed }) => failed, color.yellow), optional: true },
      number('DEAD', ({ dead }) => dead, color.red),
      {
        title: 'OLDEST',
        align: 'right',
        value: ({ oldestDueMs }) => (oldestDueMs === null ? '-' : duration(oldestDueMs)),
      },
      number('WORKERS', ({ workers }) => workers),
      {
        title: 'STATE',
        value: stateOf,
        style: (cell) => (cell.trim() === 'active' ? color.dim(cell) : color.yellow(cell)),
        shrinks: true,
      },
    ],
    queues,
  )
}

const countText = (value: number | BoundedCount): string =>
  typeof value === 'number' ? count(value) : `${count(value.jobs)}${value.isMore ? '+' : ''}`

function stateOf({ pausedAt, pausedReason, oldestDueMs, workers }: QueueSurvey): string {
  if (pausedAt) return pausedReason ? `paused: ${pausedReason}` : 'paused'
  return oldestDueMs !== null && workers === 0 ? 'no worker' : 'active'
}
