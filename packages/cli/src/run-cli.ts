import { Command, CommanderError } from 'commander'
import { readFileSync } from 'node:fs'
import { Outcome } from './call.ts'
import { addBench } from './commands/bench/bench.ts'
import { addDoctor } from './commands/doctor.ts'
import { addJobs } from './commands/jobs/jobs.ts'
import { addMigrate } from './commands/migrate.ts'
import { addQueues } from './commands/queues.ts'
import { addSchedules } from './commands/schedules.ts'
import { addStatus } from './commands/status.ts'
import { addWork } from './commands/work/work.ts'
import { addWorkers } from './commands/workers.ts'
import { errorJson } from './complaint.ts'
import { EXIT, EXIT_CODES_HELP, type ExitCode } from './exit-code.ts'

/** In the order in which the help shows them. */
const COMMANDS = [
  addMigrate,
  addStatus,
  addQueues,
  addJobs,
  addSchedules,
  addWorkers,
  addWork,
  addDoctor,
  addBench,
]

/**
 * Runs the command line of pgq: reads `args`, does what they say on stdout and stderr, and returns the exit code. It never throws.
 * @param args without the program's own name
 */
export async function runCli(args: readonly string[]): Promise<ExitCode> {
  const outcome = new Outcome()
  // What is wrong with the command line is found before its options are known.
  const asJson = args.includes('--json')
  const program = createProgram(outcome, asJson)
  try {
    await program.parseAsync(args, { from: 'user' })
    return outcome.code
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // The help and the version were asked for; a command line that names no command gets the help as an answer too.
    if (error.exitCode === 0) return EXIT.done
    if (asJson) process.stderr.write(`${errorJson('USAGE', error.message.replace(/^error: /, ''))}\n`)
    return EXIT.usage
  }
}

function createProgram(outcome: Outcome, asJson: boolean): Command {
  const program = new Command('pgq')
    .description('Looks after a job queue in PostgreSQL.')
    .version(version())
    .option('--url <url>', 'the database (default: $DATABASE_URL, or $PGHOST and the like)')
    .option('--schema <name>', 'the schema of the queue (default: $PGQ_SCHEMA, or "pgq")')
    .option('--json', 'answer with JSON on stdout')
    .option('--no-color', 'no colours (also: NO_COLOR)')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help says more)')
    .addHelpText('after', `\n${EXIT_CODES_HELP}`)
  // Commands inherit it, so it comes before them.
  if (asJson) program.configureOutput({ writeErr: () => {} })
  for (const add of COMMANDS) add(program, outcome)
  return program
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  )
  return manifest.version
}
