// Plays one scenario in a process of its own, with one copy of the package: a broken one may end its process.
import { loadCore } from '../core.ts'
import { ClientLog } from '../history/client-log.ts'
import { type ScenarioName, SCENARIOS } from './scenarios.ts'
import { Stage } from './stage.ts'

/** What it is started with. */
export interface ScenarioOptions {
  readonly scenario: ScenarioName
  readonly core: string | undefined
  readonly url: string
  readonly logs: string
  readonly leaseMs: number
}

const { scenario, core, ...rest } = JSON.parse(process.argv[2] ?? '') as ScenarioOptions
const log = new ClientLog(rest.logs, 'scenario')
process.once('disconnect', () => process.exit())
process.on('uncaughtExceptionMonitor', (error) => log.write({ op: 'crash', message: String(error) }))

/** Only the one who started the server can crash it. */
const crash = (): Promise<void> =>
  new Promise((resolve) => {
    process.once('message', () => resolve())
    process.send?.('crash')
  })

const stage = new Stage({ core: await loadCore(core), ...rest, crash })
await SCENARIOS[scenario].play(stage)
// How the story has ended is told before anybody goes: what happens on the way out is not part of it.
const done = new Promise<void>((resolve) => process.once('message', () => resolve()))
process.send?.('played')
await done
await stage.close()
process.exit(0)
