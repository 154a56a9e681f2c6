import type { Explanation } from '@pgq/core'
import type { Command } from 'commander'
import { action, type Call, type Outcome } from '../../call.ts'
import { EXIT, type ExitCode } from '../../exit-code.ts'
import { printable } from '../../terminal/printable.ts'
import type { Screen } from '../../terminal/screen.ts'
import { noSuchJob } from './show.ts'

/** `pgq jobs explain`. */
export function addExplain(jobs: Command, outcome: Outcome): void {
  jobs
    .command('explain')
    .argument('<id>')
    .description('why a job does not run, or where it runs, or how it has ended')
    .action(action(outcome, run))
}

async function run({ pgq, screen, args: [id = ''] }: Call<unknown>): Promise<ExitCode> {
  const explanation = await pgq.explain(id)
  if (!explanation) return noSuchJob(id, screen)
  screen.answer({ id, ...explanation }, () => render(explanation, screen))
  return EXIT.done
}

function render({ state, reasons }: Explanation, { color }: Screen): string {
  const paint = { waiting: color.yellow, running: color.cyan, ended: color.dim }[state]
  const lines = reasons.map((reason) => {
    const code = reason.code === 'other' ? reason.name : reason.code
    return `  ${printable(reason.message)}  ${color.dim(code)}`
  })
  return [paint(state), ...lines].join('\n')
}
