import { isPgqError } from '../../errors.ts'
import { type Duration, durationMs } from '../../runtime/duration.ts'
import { knownOptions } from '../../runtime/options.ts'
import type { Tables } from '../../sql/statement.ts'
import type { Database } from '../../store/database.ts'
import { HealthReader, type ServerHealth } from '../../store/health-reader.ts'
import { checkSchema } from '../../store/migrator.ts'
import { type ConnectionConfig, openClient } from '../../store/pg-connection.ts'
import { isBehindSharingPooler } from '../../store/pooler-probe.ts'
import { QueueReader } from '../../store/queue-reader.ts'
import { type CheckName, type Finding, ok } from './finding.ts'
import { horizonFindings } from './horizon-findings.ts'
import { partitionFindings, queueFindings, schemaFinding, workerFindings } from './schema-findings.ts'
import { type ClockDifference, clockFindings, poolerFindings, serverFindings } from './server-findings.ts'
import { autovacuumFindings, bloatFindings } from './vacuum-findings.ts'

/** How to look. */
export interface DiagnoseOptions {
  /** From when on a transaction is a long one, 0 to 100 years. @default 5m */
  readonly longTransaction?: Duration
}

/** What a diagnosis found. */
export interface Diagnosis {
  /** Whether there is neither a problem nor a warning. */
  readonly isHealthy: boolean
  /** One at least for each check, in the order of the checks. */
  readonly findings: readonly Finding[]
}

/** How often the clock is read: the fastest answer says most. */
const CLOCK_READINGS = 5
/** How many days there should be partitions for. */
const DAYS_AHEAD = 7
/** Counting stray jobs ends here. */
const STRAY_LIMIT = 10_000

/** Looks at everything that makes a queue slow or unsafe, and says what to do about it. */
export class Doctor {
  readonly #database: Database
  readonly #tables: Tables
  readonly #connection: ConnectionConfig
  readonly #health: HealthReader
  readonly #queues: QueueReader

  constructor(deps: { database: Database; tables: Tables; connection: ConnectionConfig }) {
    this.#database = deps.database
    this.#tables = deps.tables
    this.#connection = deps.connection
    this.#health = new HealthReader(deps.tables)
    this.#queues = new QueueReader(deps.tables)
  }

  async diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
    knownOptions('diagnose', options, ['longTransaction'])
    const longMs = durationMs('longTransaction', options.longTransaction ?? '5m')
    const schema = await this.#schema()
    const server = await this.#health.server(this.#database)
    const findings = [
      schema,
      ...serverFindings(server),
      ...(await this.#check('horizon', async () =>
        horizonFindings(server, await this.#health.holders(this.#database), longMs),
      )),
      ...(schema.severity === 'ok' ? await this.#aboutSchema(server) : []),
      ...(await this.#check('pooler', async () => poolerFindings(await this.#isShared()))),
      ...(await this.#check('clock', async () => clockFindings(await this.#clock()))),
    ]
    const isHealthy = findings.every(({ severity }) => severity === 'ok' || severity === 'note')
    return { isHealthy, findings }
  }

  async #schema(): Promise<Finding> {
    try {
      await checkSchema(this.#database, this.#tables)
      return ok(
        'schema',
        `${JSON.stringify(this.#tables.name)} is there, and of the version that this package needs`,
      )
    } catch (error) {
      // Without a database there is nothing to look at.
      if (isPgqError(error) && !error.code.startsWith('DATABASE_')) return schemaFinding(error)
      throw error
    }
  }

  async #aboutSchema(server: ServerHealth): Promise<readonly Finding[]> {
    const database = this.#database
    const tables = await this.#health.tables(database)
    return [
      ...autovacuumFindings(this.#tables, server, tables),
      ...bloatFindings(this.#tables, tables),
      ...(await this.#check('partitions', async () => {
        const today = new Date(await this.#health.clock(database)).toISOString().slice(0, 10)
        return partitionFindings(await this.#health.days(database, DAYS_AHEAD, STRAY_LIMIT), today)
      })),
      ...(await this.#check('workers', async () =>
        workerFindings(await this.#health.workers(database), await this.#health.hasLeader(database)),
      )),
      ...(await this.#check('queues', async () => queueFindings(await this.#queues.survey(database)))),
    ]
  }

  /** A role may lack the right to look somewhere; the other checks are worth having all the same. */
  async #check(check: CheckName, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
    try {
      return await look()
    } catch (error) {
      if (!isPgqError(error)) throw error
      const fix = 'give the role that runs the diagnosis the right to look, or see the error'
      return [{ check, severity: 'note', message: `this could not be looked at: ${error.message}`, fix }]
    }
  }

  #isShared(): Promise<boolean> {
    return isBehindSharingPooler(() => openClient(this.#connection), this.#tables.name)
  }

  /** Of several readings the one whose answer came fastest: its moment is known best. */
  async #clock(): Promise<ClockDifference> {
    let best: ClockDifference = { aheadMs: 0, withinMs: Infinity }
    for (let reading = 0; reading < CLOCK_READINGS; reading++) {
      const before = Date.now()
      const there = await this.#health.clock(this.#database)
      const after = Date.now()
      const withinMs = (after - before) / 2
      if (withinMs < best.withinMs) best = { aheadMs: there - (before + withinMs), withinMs }
    }
    return best
  }
}
