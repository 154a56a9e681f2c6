import { Global, Module } from '@nestjs/common'
import { PgqTester } from './pgq-tester.ts'
import { TESTING } from './tokens.ts'

/**
 * Import it in a test beside the modules under test: no connection starts a worker, whatever its options say, handlers may be missing, and
 * `app.get(PgqTester)` runs jobs when the test wants it. The database is a real one.
 * @example
 * const app = await Test.createTestingModule({ imports: [AppModule, PgqTestingModule] }).compile()
 * await app.init()
 */
@Global()
@Module({ providers: [PgqTester, { provide: TESTING, useValue: true }], exports: [PgqTester, TESTING] })
export class PgqTestingModule {}
