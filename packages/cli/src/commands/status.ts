import {
  type Duration,
  durationMs,
  isPgqError,
  type Pgq,
  type QueueSurvey,
  type WorkerReport,
} from '@pgq/core'
import type { Command } from 'commander'
import { setTimeout as sleep } from 'node:timers/promises'
import { action, type Call, type Outcome } from '../call.ts'
import { EXIT, type ExitCode } from '../exit-code.ts'
import { interruption } from '../interruption.ts'
import { printable } from '../terminal/printable.ts'
import { counted, moment } from '../terminal/quantities.ts'
import type { Screen } from '../terminal/screen.ts'
import { redrawing } from '../terminal/redraw.ts'
import { queueTable } from './queues.ts'
import { workerTable } from './workers.ts'

interface Options {
  readonly watch?: true | Duration
}

/** How a queue stands at one moment. */
interface Status {
  readonly schema: string
  readonly at: Date
  readonly queues: readonly QueueSurvey[]
  readonly workers: readonly WorkerReport[]
}

const EVERY = '2s'

/** `pgq status`. */
export function addStatus(program: Command, outcome: Outcome): void {
  program
    .command('status')
    .description('the queues and the workers at a glance')
    .option(
      '--watch [interval]',
      `again and again until Ctrl-C, every ${EVERY} or as often as you say, as in 500ms`,
    )
    .action(action<Options>(outcome, run))
}

async function run({ pgq, screen, options }: Call<Options>): Promise<ExitCode> {
  if (options.watch !== undefined) return watch(pgq, screen, options.watch === true ? EVERY : options.watch)
  const status = await screen.during('counting', readStatus(pgq))
  screen.answer(status, () => render(status, screen))
  return EXIT.done
}

/** Ends well on Ctrl-C, which is how one says that one has seen enough, and outlives a database that is away for a while. */
async function watch(pgq: Pgq, screen: Screen, interval: Duration): Promise<ExitCode> {
  const everyMs = durationMs('--watch', interval, { min: 100, max: 86_400_000 })
  const footer = screen.color.dim(`every ${everyMs / 1_000} s, Ctrl-C ends it`)
  const { signal, release } = interruption()
  let status = await screen.during('counting', readStatus(pgq))
  const draw = redrawing(screen)
  // At once, whatever is still being asked for.
  signal.addEventListener('abort', draw.end)
  try {
    draw.show(status, () => `${render(status, screen)}\n\n${footer}`)
    while (await isPast(everyMs, signal)) {
      try {
        status = await readStatus(pgq)
        draw.show(status, () => `${render(status, screen)}\n\n${footer}`)
      } catch (error) {
        if (!isPgqError(error, 'DATABASE_UNAVAILABLE')) throw error
        const { code, message } = error
        const trouble = screen.color.red(printable(message))
        draw.show({ error: { code, message } }, () => `${render(status, screen)}\n\n${trouble}\n${footer}`)
      }
    }
    return EXIT.done
  } finally {
    draw.end()
    release()
  }
}

/** Resolves when so much time has passed, or with false when it was interrupted. */
const isPast = (ms: number, signal: AbortSignal): Promise<boolean> =>
  sleep(ms, true, { signal }).catch(() => false)

async function readStatus(pgq: Pgq): Promise<Status> {
  const [queues, workers] = await Promise.all([pgq.queues(), pgq.workers()])
  return { schema: pgq.schema, at: new Date(), queues, workers }
}

function render({ schema, at, queues, workers }: Status, screen: Screen): string {
  const { color } = screen
  const alive = workers.filter(({ state }) => state === 'alive').length
  const late = workers.length - alive
  const title = `${color.bold(printable(schema))}  ${counted(queues.length, 'queue')}, ${counted(alive, 'worker')} alive${late > 0 ? color.red(`, ${late} late`) : ''}  ${color.dim(moment(at))}`
  return [title, '', queueTable(queues, screen), '', workerTable(workers, screen)].join('\n')
}
