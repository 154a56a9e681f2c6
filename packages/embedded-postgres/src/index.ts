export { acquireDatabase, type AcquiredDatabase } from './database.ts'
export { startPostgres, type PostgresOptions } from './launcher.ts'
export { majors } from './majors.ts'
export type { Postgres, RestartMode } from './postgres.ts'
