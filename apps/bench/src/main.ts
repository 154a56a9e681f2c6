// The command line of the benchmark. What is measured stands in scenarios/, who takes part and how in roster.ts.
import { type BenchArguments, HELP, parseArguments, UsageError } from './arguments.ts'
import { findNode } from './environment.ts'
import { BenchFault } from './fault.ts'
import type { ScenarioReport } from './report.ts'
import { overviewTable, scenarioTable } from './report-table.ts'
import { NO_REDIS, runScenario } from './run-scenario.ts'
import { scenarios } from './scenarios/scenarios.ts'
import { PostgresServer } from './servers/postgres-server.ts'
import { RedisServer } from './servers/redis-server.ts'

const interruption = new AbortController()
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => interruption.abort(code))
}
process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const args = parseArguments(process.argv.slice(2))
    if (args === 'help') process.stdout.write(HELP)
    else print(await run(args), args)
    return 0
  } catch (error) {
    if (interruption.signal.aborted) return interruption.signal.reason as number
    return explain(error)
  }
}

async function run(args: BenchArguments): Promise<ScenarioReport[]> {
  const node = findNode()
  if (node.note !== undefined) say(node.note)
  const postgres = await PostgresServer.start()
  let redis: RedisServer | undefined
  try {
    redis = await RedisServer.start()
    if (!redis) say(NO_REDIS)
    const reports: ScenarioReport[] = []
    for (const name of args.scenarios) {
      const ground = { node, postgres, redis, say, signal: interruption.signal }
      reports.push(await runScenario(ground, scenarios[name], args))
    }
    return reports
  } finally {
    await redis?.stop()
    await postgres.stop()
  }
}

function print(reports: readonly ScenarioReport[], { json, scenarios: asked }: BenchArguments): void {
  const [first] = reports
  if (!first) return
  if (json) {
    const { env, rounds } = first
    const all = { scenario: 'all', rounds, env, scenarios: reports }
    process.stdout.write(`${JSON.stringify(asked.length === 1 ? first : all, undefined, 2)}\n`)
  } else process.stdout.write(asked.length === 1 ? scenarioTable(first) : overviewTable(reports))
}

function explain(error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${HELP.trimEnd()}`)
    return 2
  }
  if (error instanceof BenchFault) console.error(`FAULT: ${error.message}`)
  else console.error('The benchmark failed:', error)
  return 1
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
