import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { cleanUpAfterwards } from '@pgq/test-support'
import { ModestDatabase } from '../src/maintenance/modest-database.ts'
import { PgDatabase } from '../src/store/pg-database.ts'
import type { Statement } from '../src/sql/statement.ts'

const sleep: Statement<void, never> = {
  name: 'sleep',
  text: 'SELECT pg_sleep(600)',
  values: () => [],
}

test('a statement of maintenance that takes too long ends on the server too, and limits nothing that comes after it', async () => {
  const pool = new pg.Pool({ connectionString: inject('directUrl'), max: 1 })
  cleanUpAfterwards(() => pool.end())
  const modest = new ModestDatabase(new PgDatabase({ pool, schema: 'none', ours: false }), 100, 300)
  await expect(modest.run(sleep, undefined)).rejects.toMatchObject({ sqlState: '57014' })
  const { rows } = await pool.query('SHOW statement_timeout')
  expect(rows).toEqual([{ statement_timeout: '0' }])
})
