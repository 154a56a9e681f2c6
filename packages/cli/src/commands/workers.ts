import type { WorkerReport } from '@pgq/core'
import type { Command } from 'commander'
import { action, type Call, type Outcome } from '../call.ts'
import { EXIT, type ExitCode } from '../exit-code.ts'
import { count, duration } from '../terminal/quantities.ts'
import type { Screen } from '../terminal/screen.ts'

/** `pgq workers`. */
export function addWorkers(program: Command, outcome: Outcome): void {
  program
    .command('workers')
    .description('the workers, on whatever machine, and what each has in hand')
    .action(action(outcome, run))
}

async function run({ pgq, screen }: Call<unknown>): Promise<ExitCode> {
  const workers = await pgq.workers()
  screen.answer({ workers }, () => workerTable(workers, screen))
  return EXIT.done
}

/** A worker may run as many jobs at once as it likes: this is what the database holds then. */
const NO_LIMIT = 100_000

/** The workers for people. */
export function workerTable(workers: readonly WorkerReport[], screen: Screen): string {
  if (workers.length === 0) return 'No workers.'
  const { color } = screen
  return screen.table<WorkerReport>(
    [
      { title: 'WORKER', value: ({ name }) => name, shrinks: true },
      {
        title: 'STATE',
        value: ({ state }) => state,
        style: (cell, { state }) => (state === 'alive' ? color.green(cell) : color.red(cell)),
      },
      { title: 'UP', align: 'right', value: ({ startedAt }) => since(startedAt) },
      { title: 'SEEN', align: 'right', value: ({ heartbeatAt }) => `${since(heartbeatAt)} ago` },
      {
        title: 'RUNNING',
        align: 'right',
        value: ({ running }) => count(running.reduce((sum, { jobs }) => sum + jobs, 0)),
      },
      {
        title: 'AT ONCE',
        align: 'right',
        value: ({ concurrency }) => (concurrency >= NO_LIMIT ? '-' : count(concurrency)),
      },
      { title: 'QUEUES', value: ({ queues }) => queues.join(', '), shrinks: true },
      { title: 'ID', value: ({ id }) => id, style: color.dim, optional: true },
    ],
    workers,
  )
}

const since = (date: Date): string => duration(Math.max(0, Date.now() - date.getTime()))
