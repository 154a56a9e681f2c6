// The command line of the fault harness. What goes wrong stands in faults/, what must hold in checker/invariants.ts.
import { HELP, type MutantsArguments, parseArguments, UsageError, type ChaosArguments } from './arguments.ts'
import { runMutants } from './mutants/run-mutants.ts'
import { reportOf, reportText } from './report.ts'
import { runChaos } from './run.ts'

/** An enabled fault never happened. */
const INVALID = 3
/** How many violations are told of one by one. */
const SHOWN = 20

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  // The server and the clients notice that this process is gone, and go as well.
  process.on(signal, () => process.exit(code))
}
process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const args = parseArguments(process.argv.slice(2))
    if (args === 'help') {
      process.stdout.write(HELP)
      return 0
    }
    return await (args.command === 'run' ? run(args) : mutants(args))
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${HELP.trimEnd()}`)
      return 2
    }
    console.error('The harness failed:', error)
    return 1
  }
}

async function run(args: ChaosArguments): Promise<number> {
  const result = await runChaos(args, say)
  const report = reportOf(args, result)
  process.stdout.write(args.json ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report))
  const { findings } = result.verdict
  if (findings.length > 0) {
    for (const { invariant, message } of findings.slice(0, SHOWN)) say(`${invariant}: ${message}`)
    if (findings.length > SHOWN) say(`and ${findings.length - SHOWN} more`)
    say(`VIOLATED. The shortest history that shows it:\n${result.verdict.shortest.join('\n')}`)
    return 1
  }
  if (result.missing.length === 0) return 0
  say(`INVALID: these never happened: ${result.missing.join(', ')}. Give it more seconds, or leave them out.`)
  return INVALID
}

async function mutants(args: MutantsArguments): Promise<number> {
  const report = await runMutants(args, say)
  if (args.json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
  else
    process.stdout.write(
      `${[...report.each.map(({ name, caught, by }) => `${caught ? 'caught' : 'MISSED'}  ${name}  ${by.join(', ')}`), `${report.caught} of ${report.mutants} mutants caught`].join('\n')}\n`,
    )
  return report.caught === report.mutants ? 0 : 1
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
