/** For tests of applications that use `@pgq/nest`. */
export { PgqTestingModule } from './pgq-testing-module.ts'
export { type DrainReport, PgqTester, type RunOptions, type RunOutcome } from './pgq-tester.ts'
