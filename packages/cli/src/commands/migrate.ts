import { isPgqError } from '@pgq/core'
import { type Command, Option } from 'commander'
import { action, type Call, type Outcome } from '../call.ts'
import { hintOf } from '../complaint.ts'
import { openPgq, unconnectedPgq } from '../connection.ts'
import { EXIT, type ExitCode } from '../exit-code.ts'
import { printable, printableLines } from '../terminal/printable.ts'
import { counted } from '../terminal/quantities.ts'

interface Options {
  readonly print?: boolean
  readonly check?: boolean
}

/** `pgq migrate`. */
export function addMigrate(program: Command, outcome: Outcome): void {
  const command = program
    .command('migrate')
    .description('create the schema or bring it up to date; safe at any time, from many processes at once')
    .addOption(
      new Option('--print', 'print the SQL for an empty database instead, and connect to nothing').conflicts(
        'check',
      ),
    )
    .option('--check', 'change nothing: exit code 3 unless the schema is of the version that this pgq needs')
  command.action(
    action<Options>(outcome, run, (options) =>
      command.opts<Options>().print ? unconnectedPgq(options) : openPgq(options),
    ),
  )
}

async function run(call: Call<Options>): Promise<ExitCode> {
  if (call.options.print) return print(call)
  return call.options.check ? check(call) : migrate(call)
}

async function print({ pgq, screen }: Call<Options>): Promise<ExitCode> {
  const sql = pgq.migrationSql()
  screen.answer({ schema: pgq.schema, sql }, () => sql.trimEnd())
  return EXIT.done
}

async function check({ pgq, screen, options }: Call<Options>): Promise<ExitCode> {
  try {
    await pgq.check()
    screen.answer({ schema: pgq.schema, isCurrent: true }, () => `${name(pgq.schema)} is up to date`)
    return EXIT.done
  } catch (error) {
    if (!isPgqError(error) || !(error.code.startsWith('SCHEMA_') || error.code === 'MIGRATION_CHANGED'))
      throw error
    const { code, message } = error
    screen.answer({ schema: pgq.schema, isCurrent: false, code, message }, () =>
      printableLines(`${message}\n  → ${hintOf(code, options)}`),
    )
    return EXIT.no
  }
}

async function migrate({ pgq, screen }: Call<Options>): Promise<ExitCode> {
  // What it could not make besides, such as the partitions of days, is tried again by workers.
  pgq.events.on('error', ({ where, error }) => screen.note(printable(`${where}: ${String(error)}`)))
  const report = await screen.during('migrating', pgq.migrate())
  screen.answer({ schema: pgq.schema, ...report }, () =>
    report.applied.length === 0
      ? `${name(pgq.schema)} is at version ${report.version} already`
      : `${name(pgq.schema)} is at version ${report.version} now; applied ${counted(report.applied.length, 'migration')}: ${report.applied.join(', ')}`,
  )
  return EXIT.done
}

const name = (schema: string): string => `the schema ${JSON.stringify(printable(schema))}`
