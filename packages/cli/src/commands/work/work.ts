import { type Duration, type Handler, logEvents, type Pgq, type WorkerOptions } from '@pgq/core'
import type { Command } from 'commander'
import { once } from 'node:events'
import { action, type Call, type Outcome } from '../../call.ts'
import { EXIT, type ExitCode, UsageError } from '../../exit-code.ts'
import { interruption } from '../../interruption.ts'
import { printable } from '../../terminal/printable.ts'
import { counted } from '../../terminal/quantities.ts'
import type { Screen } from '../../terminal/screen.ts'
import { wholeNumber } from '../../whole-number.ts'
import { loadWork, type Work } from './load-work.ts'
import { consoleLogger, jsonLogger } from './log.ts'

interface Options {
  readonly queue?: readonly string[]
  readonly name?: string
  readonly concurrency?: number
  readonly pollInterval?: Duration
  readonly shutdownTimeout?: Duration
  readonly lease?: Duration
  readonly listen: boolean
  readonly maintenance: boolean
  readonly verbose?: boolean
}

const MODULE_HELP = `
The module exports "handlers", a list of what handle(queue, …) returned, and may export "schedules" and "close":

  export const handlers = [handle(receipts, async (job) => { … })]

or, as its default export, a function of the pgq that runs them, which returns { handlers, schedules, close }.
SIGTERM and Ctrl-C stop the worker: it waits for running jobs, and gives the others back. A second one ends it at once.`

/** `pgq work`. */
export function addWork(program: Command, outcome: Outcome): void {
  program
    .command('work')
    .argument('<module>', 'a file that exports handlers')
    .description('run a worker with the handlers of a module, until it is told to stop')
    .option('--queue <queue>', 'only this one of its queues; may be given several times', list)
    .option('--name <name>', 'what others see of it (default: the host and the process id)')
    .option(
      '--concurrency <number>',
      'how many handlers run at once over all queues (default: no limit)',
      wholeNumber(1, 100_000),
    )
    .option('--poll-interval <duration>', 'the longest time between two looks at idle queues (default: 1s)')
    .option('--shutdown-timeout <duration>', 'how long to wait for running jobs at the end (default: 20s)')
    .option('--lease <duration>', 'without a sign of life for so long its jobs are taken back (default: 9s)')
    .option('--no-listen', 'keep no connection for notifications')
    .option('--no-maintenance', 'leave rescue, partitions and schedules to other workers')
    .option('--verbose', 'say when each job begins and ends as well')
    .addHelpText('after', MODULE_HELP)
    .action(action<Options>(outcome, run))
}

async function run({ pgq, screen, args: [module = ''], options }: Call<Options>): Promise<ExitCode> {
  const { signal, release } = interruption()
  const { verbose = false } = options
  try {
    const work = await loadWork(module, pgq)
    try {
      logEvents(pgq.events, screen.json ? jsonLogger(verbose) : consoleLogger(screen, verbose))
      await workUntil(
        signal,
        pgq,
        screen,
        { ...work, handlers: chosen(work, module, options.queue) },
        options,
      )
      return EXIT.done
    } finally {
      // Its jobs have ended by then, and what they enqueued is written.
      await pgq.close()
      await work.close?.()
    }
  } finally {
    release()
  }
}

async function workUntil(
  signal: AbortSignal,
  pgq: Pgq,
  screen: Screen,
  { handlers, schedules }: Work,
  options: Options,
): Promise<void> {
  const worker = pgq.createWorker(handlers, {
    ...workerOptions(options),
    ...(schedules !== undefined && { schedules }),
  })
  await worker.start()
  const queues = handlers.map(({ queue }) => queue.name)
  if (!screen.json)
    screen.note(
      `Working on ${counted(queues.length, 'queue')}: ${printable(queues.join(', '))}. Ctrl-C stops it.`,
    )
  if (!signal.aborted) await once(signal, 'abort')
  if (!screen.json) screen.note('Stopping: waiting for running jobs. Ctrl-C again ends it at once.')
  await worker.stop()
}

/** The handlers of the queues that were asked for; of all without. */
function chosen(
  { handlers }: Work,
  module: string,
  queues: readonly string[] | undefined,
): readonly Handler[] {
  const some = handlers.filter(({ queue }) => queues?.includes(queue.name) ?? true)
  if (some.length > 0) return some
  const known = handlers.map(({ queue }) => queue.name).join(', ')
  throw new UsageError(`none of the queues of ${module} is ${queues?.join(', ')}: there are ${known}`)
}

function workerOptions(options: Options): WorkerOptions {
  const { name, concurrency, pollInterval, shutdownTimeout, lease, listen, maintenance } = options
  return {
    listen,
    maintenance,
    ...(name !== undefined && { name }),
    ...(concurrency !== undefined && { concurrency }),
    ...(pollInterval !== undefined && { pollInterval }),
    ...(shutdownTimeout !== undefined && { shutdownTimeout }),
    ...(lease !== undefined && { lease }),
  }
}

const list = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]
