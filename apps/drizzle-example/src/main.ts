// The command line of the example. What it plays stands in run.ts; how payments, jobs and handlers meet in take-payments.ts,
// send-receipt.ts, post-to-ledger.ts and report.ts.
import { HELP, parseArguments, type Show, UsageError } from './arguments.ts'
import { findFaults } from './faults.ts'
import { runExample } from './run.ts'
import { tellStory } from './story.ts'

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const show = parseArguments(process.argv.slice(2))
    if (show !== 'help') return await play(show)
    process.stdout.write(HELP)
    return 0
  } catch (error) {
    return explain(error)
  }
}

async function play(show: Show): Promise<number> {
  const outcome = await runExample()
  process.stdout.write(show === 'json' ? `${JSON.stringify(outcome)}\n` : tellStory(outcome))
  const faults = findFaults(outcome)
  for (const fault of faults) console.error(`FAULT: ${fault}`)
  return faults.length === 0 ? 0 : 1
}

function explain(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${HELP.trimEnd()}`)
    return 2
  }
  console.error('The example failed:', error instanceof Error ? error.message || error : error)
  return 1
}
