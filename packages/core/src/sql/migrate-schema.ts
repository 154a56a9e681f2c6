import { quoteLiteral, type Statement, type Tables } from './statement.ts'

/** What stands under the name of the schema. Everything comes back as text. */
export interface SchemaRow {
  /** Whether the schema exists. */
  readonly present: string
  /** Whether our own ledger is in it. */
  readonly ours: string
  /** How many tables, views, sequences, functions and types it holds. */
  readonly objects: string
}

/** Looks before anything is written: the name may belong to something else, such as the PgQ extension. */
export const inspectSchema = (t: Tables): Statement<void, SchemaRow> => ({
  name: 'inspect schema',
  text: `
SELECT (space.oid IS NOT NULL)::text AS present,
       (SELECT count(*) = 5 FROM pg_attribute AS a
        WHERE a.attrelid = to_regclass(${quoteLiteral(t.migrations)})
          AND a.attname IN ('id', 'name', 'checksum', 'breaking', 'applied_at'))::text AS ours,
       ((SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = space.oid)
        + (SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = space.oid)
        + (SELECT count(*) FROM pg_type AS y WHERE y.typnamespace = space.oid))::text AS objects
FROM (SELECT (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = $1) AS oid) AS space`,
  values: () => [t.name],
})

/** How long a process waits for another one that is migrating, and for locks on tables, in ms. */
export const WAIT_FOR_OTHERS_MS = 120_000

/** Lets one process migrate at a time. The lock ends with the transaction, so a killed process blocks nobody. */
export const lockMigrations = (t: Tables): Statement<void, never> => ({
  name: 'lock migrations',
  patienceMs: WAIT_FOR_OTHERS_MS + 10_000,
  text: `SELECT pg_advisory_xact_lock(hashtextextended('pgq.migrate:' || $1, 0))`,
  values: () => [t.name],
})

export const createSchema = (t: Tables): string => `CREATE SCHEMA ${t.schema}`

export const createLedger = (t: Tables): string => `
CREATE TABLE ${t.migrations} (
  id         integer     PRIMARY KEY,
  name       text        NOT NULL,
  checksum   text        NOT NULL,
  breaking   boolean     NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)`

export interface LedgerRow {
  readonly id: string
  readonly name: string
  readonly checksum: string
  readonly breaking: string
}

export const readLedger = (t: Tables): Statement<void, LedgerRow> => ({
  name: 'read applied migrations',
  text: `SELECT id, name, checksum, breaking::text AS breaking FROM ${t.migrations} ORDER BY id`,
  values: () => [],
})

export const recordMigration = (
  t: Tables,
): Statement<
  { readonly id: number; readonly name: string; readonly checksum: string; readonly breaking: boolean },
  never
> => ({
  name: 'record migration',
  text: `INSERT INTO ${t.migrations} (id, name, checksum, breaking) VALUES ($1, $2, $3, $4)`,
  values: ({ id, name, checksum, breaking }) => [id, name, checksum, breaking],
})

/** The same as text, for people. */
export const recordedMigration = (
  t: Tables,
  { id, name, breaking, checksum }: { id: number; name: string; breaking: boolean; checksum: string },
): string =>
  `INSERT INTO ${t.migrations} (id, name, checksum, breaking) VALUES (${id}, ${quoteLiteral(name)}, ${quoteLiteral(checksum)}, ${breaking})`
