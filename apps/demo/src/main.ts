// The demo's command line. What it plays stands in run.ts; a job and its handler in payment-webhooks.ts and post-to-ledger.ts.
import { type DemoArguments, HELP, parseArguments, UsageError } from './arguments.ts'
import { findFaults } from './faults.ts'
import { Interruption, interruptionSignal } from './interruption.ts'
import { PlainScreen } from './plain-screen.ts'
import { type Outcome, runDemo } from './run.ts'
import { type Screen, silentScreen } from './screen.ts'
import { tellBeginning, tellEnd } from './story.ts'
import { summary } from './summary.ts'
import { TerminalScreen } from './terminal-screen.ts'

// Whoever reads the output may have seen enough: `npm run demo | head`.
process.stdout.on('error', () => process.exit(0))
process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const wanted = parseArguments(process.argv.slice(2))
    if (wanted.show !== 'help') return await play(wanted)
    process.stdout.write(HELP)
    return 0
  } catch (error) {
    return explain(error)
  }
}

async function play({ show, serve }: DemoArguments): Promise<number> {
  const screen = screenFor(show)
  tellBeginning(screen)
  const outcome = await runDemo({
    screen,
    serve,
    signal: interruptionSignal(),
    onOver: (result) => tellOutcome(screen, show, result),
  })
  return findFaults(outcome).length === 0 ? 0 : 1
}

function tellOutcome(screen: Screen, show: DemoArguments['show'], outcome: Outcome): void {
  const seconds = performance.now() / 1_000
  tellEnd(screen, outcome, seconds)
  if (show === 'json') process.stdout.write(`${summary(outcome, seconds)}\n`)
  for (const fault of findFaults(outcome)) console.error(`FAULT: ${fault}`)
}

function screenFor(show: DemoArguments['show']): Screen {
  if (show === 'json') return silentScreen
  return process.stdout.isTTY ? new TerminalScreen(process.stdout) : new PlainScreen(process.stdout)
}

function explain(error: unknown): number {
  if (error instanceof Interruption) return error.exitCode
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${HELP.trimEnd()}`)
    return 2
  }
  console.error('The demo failed:', error instanceof Error ? error.message || error : error)
  return 1
}
