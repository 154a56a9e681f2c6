import { createHash } from 'node:crypto'
import { PgqError } from '../errors.ts'
import { MIGRATIONS } from '../migrations/index.ts'
import type { Migration } from '../migrations/migration.ts'
import {
  type LedgerRow,
  createLedger,
  createSchema,
  inspectSchema,
  lockMigrations,
  readLedger,
  recordedMigration,
  recordMigration,
  WAIT_FOR_OTHERS_MS,
} from '../sql/migrate-schema.ts'
import { type Tables, tablesIn } from '../sql/statement.ts'
import type { Database, Session, TransactionSession } from './database.ts'

/** What a migration did. */
export interface MigrationReport {
  /** The version of the schema now. */
  readonly version: number
  /** The names of the migrations that this call applied; empty when there was nothing to do. */
  readonly applied: readonly string[]
}

/**
 * Brings the schema to the version of this package, in one transaction under a transaction-scoped advisory lock: of many
 * processes that start at once one migrates and the others wait, and one that is killed leaves nothing behind.
 * @throws PgqError SCHEMA_OCCUPIED, SCHEMA_TOO_NEW, MIGRATION_CHANGED, DATABASE_…
 */
export async function migrate(
  database: Database,
  tables: Tables,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<MigrationReport> {
  // Most starts find nothing to do; they neither wait for a lock nor need the right to create anything.
  const before = await readVersion(database, tables, migrations)
  if (before.version >= migrations.length) return { version: before.version, applied: [] }
  return database.transaction(async (session) => {
    await session.execute(`SET LOCAL lock_timeout = ${WAIT_FOR_OTHERS_MS}`)
    await session.run(lockMigrations(tables), undefined)
    const now = await readVersion(session, tables, migrations)
    if (!now.present) await session.execute(createSchema(tables))
    if (!now.ours) await session.execute(createLedger(tables))
    const applied = await applyAll(session, tables, migrations.slice(now.version))
    return { version: Math.max(now.version, migrations.length), applied }
  })
}

/**
 * Checks that this version of the package can work with the schema as it is.
 * @throws PgqError SCHEMA_MISSING, SCHEMA_TOO_OLD, SCHEMA_TOO_NEW, SCHEMA_OCCUPIED, MIGRATION_CHANGED
 */
export async function checkSchema(
  session: Session,
  tables: Tables,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const { version, ours } = await readVersion(session, tables, migrations)
  const name = JSON.stringify(tables.name)
  if (!ours)
    throw new PgqError(
      'SCHEMA_MISSING',
      `the schema ${name} is not in this database: run pgq.migrate(), or check the connection and the schema option`,
    )
  if (version < migrations.length) {
    throw new PgqError(
      'SCHEMA_TOO_OLD',
      `the schema ${name} is at version ${version} and this package needs ${migrations.length}: run pgq.migrate()`,
    )
  }
}

/** Everything that `migrate` does to an empty database, as SQL for people and other tools. */
export function migrationSql(tables: Tables, migrations: readonly Migration[] = MIGRATIONS): string {
  const steps = migrations.map((migration) => {
    const { id, name, breaking } = migration
    const entry = { id, name, breaking, checksum: checksum(migration) }
    return `-- ${id}: ${name}\n${migration.up(tables)}\n${recordedMigration(tables, entry)};`
  })
  return [
    'BEGIN',
    createSchema(tables),
    createLedger(tables),
    ...steps.map((step) => step.replace(/;$/, '')),
    'COMMIT',
  ]
    .map((text) => `${text.trim()};\n`)
    .join('\n')
}

interface SchemaVersion {
  readonly present: boolean
  readonly ours: boolean
  readonly version: number
}

async function readVersion(
  session: Session,
  tables: Tables,
  migrations: readonly Migration[],
): Promise<SchemaVersion> {
  const [found] = await session.run(inspectSchema(tables), undefined)
  const present = found?.present === 'true'
  if (found?.ours !== 'true') {
    if (present && Number(found?.objects) > 0) throw occupied(tables)
    return { present, ours: false, version: 0 }
  }
  const ledger = await session.run(readLedger(tables), undefined)
  verify(ledger, tables, migrations)
  return { present, ours: true, version: Number(ledger.at(-1)?.id ?? 0) }
}

function verify(ledger: readonly LedgerRow[], tables: Tables, migrations: readonly Migration[]): void {
  for (const row of ledger) {
    const known = migrations[Number(row.id) - 1]
    if (known === undefined && row.breaking === 'true') {
      throw new PgqError(
        'SCHEMA_TOO_NEW',
        `the schema ${JSON.stringify(tables.name)} has migration ${row.id} (${row.name}), which this version of the package does not know and cannot work with: update @pgq/core`,
      )
    }
    if (known !== undefined && checksum(known) !== row.checksum) {
      throw new PgqError(
        'MIGRATION_CHANGED',
        `migration ${row.id} (${row.name}) in the schema ${JSON.stringify(tables.name)} is not the one that this package holds: it was applied by another build of @pgq/core`,
      )
    }
  }
}

function occupied(tables: Tables): PgqError {
  return new PgqError(
    'SCHEMA_OCCUPIED',
    `this database already has a schema ${JSON.stringify(tables.name)} that holds something else (the PgQ extension uses that name, for one): ` +
      `choose another with createPgq({ schema: '…' })`,
  )
}

async function applyAll(
  session: TransactionSession,
  tables: Tables,
  pending: readonly Migration[],
): Promise<string[]> {
  for (const migration of pending) {
    await session.execute(migration.up(tables))
    const { id, name, breaking } = migration
    await session.run(recordMigration(tables), { id, name, breaking, checksum: checksum(migration) })
  }
  return pending.map((migration) => migration.name)
}

/** Taken over the text for the default schema, so that it is the same wherever the migration runs. */
function checksum(migration: Migration): string {
  return createHash('sha256')
    .update(migration.up(tablesIn('pgq')))
    .digest('hex')
}
