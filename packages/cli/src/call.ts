import type { Pgq } from '@pgq/core'
import type { Command } from 'commander'
import { complain } from './complaint.ts'
import { type ConnectionOptions, openPgq } from './connection.ts'
import { EXIT, type ExitCode } from './exit-code.ts'
import { Screen } from './terminal/screen.ts'

/** The options that every command has. */
interface GlobalOptions extends ConnectionOptions {
  readonly json?: boolean
  readonly color: boolean
  readonly yes?: boolean
}

/** What a command works with. */
export interface Call<Options> {
  readonly pgq: Pgq
  readonly screen: Screen
  readonly args: readonly string[]
  readonly options: Options & GlobalOptions
}

/** What makes the queue of a call. */
type Open = (options: ConnectionOptions) => Pgq

/** Where commands leave how they ended. */
export class Outcome {
  code: ExitCode = EXIT.done
}

/**
 * Makes the action of a command: opens the queue, runs it, says what went wrong, closes the queue.
 * @param open how to open it; by default with the database that the command line names
 */
export function action<Options>(
  outcome: Outcome,
  run: (call: Call<Options>) => Promise<ExitCode>,
  open: Open = openPgq,
): (this: Command) => Promise<void> {
  return async function () {
    const options = this.optsWithGlobals<Options & GlobalOptions>()
    const screen = new Screen({
      json: options.json ?? false,
      color: options.color,
      yes: options.yes ?? false,
    })
    try {
      const pgq = open(options)
      try {
        outcome.code = await run({ pgq, screen, args: this.args, options })
      } finally {
        await pgq.close()
      }
    } catch (error) {
      outcome.code = complain(error, screen.json, options)
    }
  }
}
