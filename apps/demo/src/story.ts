import { Table } from 'console-table-printer'
import { DEAD_WEBHOOKS } from './dead-webhooks.ts'
import { findFaults } from './faults.ts'
import type { Outcome } from './run.ts'
import type { Screen } from './screen.ts'

/** What is said before anything happens. */
export function tellBeginning(screen: Screen): void {
  screen.say('\npgq demo: 1,000 payment webhooks, two worker processes, one kill -9\n', 'title')
  screen.say(`Each webhook comes in at a route of Express, which stores and enqueues it in one transaction of Drizzle. The workers
ask a flaky service for an exchange rate, and write a ledger posting in the transaction that completes the job.
`)
}

/** What is said when it is over. */
export function tellEnd(screen: Screen, outcome: Outcome, seconds: number): void {
  screen.say(`\n${numbers(outcome)}`)
  screen.say(`
retried    attempts that failed at the service, and were made again
rescued    jobs of the killed worker, which the other one has finished
p50, p99   from the enqueue to the posting; the slowest waited for a retry or for the rescue

${outcome.rolledBack} transactions were rolled back on purpose, after the enqueue: they left no webhook and no job.
`)
  screen.say('The dead jobs, joined with the webhooks that they were about\n', 'title')
  screen.say(`${indent(DEAD_WEBHOOKS)}\n`)
  screen.say(deadWebhooks(outcome))
  if (findFaults(outcome).length > 0) return
  const done = 'Every webhook that was committed has one posting or a dead job: 0 lost, 0 duplicated'
  screen.say(`\n${done}, in ${seconds.toFixed(1)} s.`, 'good')
}

/** Without the colours of the table, which suppose a dark background. */
function numbers(outcome: Outcome): string {
  const { enqueued, completed, retried, rescued, dead, jobsPerSecond, p50, p99 } = outcome
  const table = new Table({ shouldDisableColors: true, defaultColumnOptions: { alignment: 'right' } })
  table.addRow({
    enqueued,
    completed,
    retried,
    rescued,
    dead,
    'jobs/s': Math.round(jobsPerSecond),
    p50: `${Math.round(p50)} ms`,
    p99: `${Math.round(p99)} ms`,
  })
  return table.render()
}

function deadWebhooks({ deadWebhooks: rows }: Outcome): string {
  const table = new Table({
    shouldDisableColors: true,
    defaultColumnOptions: { alignment: 'left' },
    columns: [{ name: 'webhook' }, { name: 'provider' }, { name: 'attempts' }, { name: 'error', maxLen: 44 }],
  })
  // A line break in a cell would break the table.
  for (const row of rows) table.addRow({ ...row, body: row.body.replaceAll(/\s+/g, ' ') })
  return table.render()
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}
