import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { check, type Verdict } from '../checker/check.ts'
import { loadCore } from '../core.ts'
import { installAudit } from '../history/audit.ts'
import { ClientLog } from '../history/client-log.ts'
import { collectHistory } from '../history/collect.ts'
import { termsOf } from '../run.ts'
import type { Server } from '../server.ts'
import type { ScenarioOptions } from './scenario-main.ts'
import { type Scenario, type ScenarioName, SCENARIOS } from './scenarios.ts'

/** What a scenario is played on, and with which copy of the package. */
export interface PlayOptions {
  readonly server: Server
  readonly scenario: ScenarioName
  /** What the database and the logs are called. */
  readonly name: string
  readonly core: string | undefined
  readonly directory: string
}

/** A story that goes on for longer hangs, in ms. */
const LONGEST_MS = 60_000
const LEASE_MS = 1_000

/** Plays a scenario on an empty database, and has the checker judge what happened. */
export async function play({ server, scenario, name, core, directory }: PlayOptions): Promise<Verdict> {
  const { leaseMs = LEASE_MS, terms = {} }: Scenario = SCENARIOS[scenario]
  const database = name.replaceAll('-', '_')
  const logs = path.join(directory, `${name}-logs`)
  mkdirSync(logs)
  await server.ask('postgres', (client) => client.query(`CREATE DATABASE ${database}`))
  const url = server.url(database)
  const pgq = (await loadCore(core)).createPgq({ connectionString: url })
  await pgq.migrate()
  await pgq.close()
  await server.ask(database, installAudit)
  const deadlocks = server.deadlocks
  return perform({ server, scenario, core, url, logs, leaseMs }, async () =>
    server.ask(database, async (client) =>
      check(
        await collectHistory(
          client,
          logs,
          {
            tickedUntil: null,
            bystanderUnchanged: true,
            deadlocks: server.deadlocks - deadlocks,
            connections: {},
          },
          { ...termsOf(leaseMs), concurrency: 100, schedules: {}, ...terms },
        ),
      ),
    ),
  )
}

/** Runs the process, and looks at the history when the story is over and before anybody has gone home. */
async function perform(
  { server, ...options }: ScenarioOptions & { readonly server: Server },
  look: () => Promise<Verdict>,
): Promise<Verdict> {
  const log = new ClientLog(options.logs, 'harness')
  const child = fork(
    fileURLToPath(new URL('../../dist/mutants/scenario-main.js', import.meta.url)),
    [JSON.stringify(options)],
    {
      execArgv: [],
      // What a broken package says of itself is of no use.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    },
  )
  const ended = once(child, 'exit')
  const played = new Promise<boolean>((resolve) => {
    child.on('message', (message) => {
      if (message === 'played') return resolve(true)
      void crash(server, log).then(() => child.connected && child.send('crashed'))
    })
    void ended.then(() => resolve(false))
  })
  const impatience = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS)
  if (!(await played))
    log.write({
      op: 'exit',
      process: options.scenario,
      code: child.exitCode,
      signal: child.signalCode,
      wanted: false,
    })
  clearTimeout(impatience)
  log.close()
  const verdict = await look()
  if (child.connected) child.send('go home')
  const lastCall = setTimeout(() => child.kill('SIGKILL'), 10_000)
  if (child.exitCode === null && child.signalCode === null) await ended
  clearTimeout(lastCall)
  return verdict
}

async function crash(server: Server, log: ClientLog): Promise<void> {
  log.write({ op: 'fault', kind: 'restart' })
  await server.postgres.restart('immediate')
}
