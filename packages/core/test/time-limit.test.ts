import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { createPgq, defineQueue, handle } from '../src/index.ts'
import { cleanUpAfterwards, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'

test('a settle that is too much for the statement_timeout of a role is made in smaller parts', async () => {
  const { schema, pgq } = await freshQueue()
  const url = new URL(inject('databaseUrl'))
  const name = `hasty_${process.pid}`
  const admin = new pg.Client({ connectionString: url.href })
  await admin.connect()
  await admin.query(`CREATE ROLE ${name} LOGIN SUPERUSER`)
  cleanUpAfterwards(async () => {
    await admin.query(`DROP ROLE ${name}`)
    await admin.end()
  })
  // A trigger makes each settled row take a while, so that a whole batch takes too long and one row does not.
  await admin.query(`
    CREATE FUNCTION ${schema}.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN OLD; END $$;
    CREATE TRIGGER dawdle BEFORE DELETE ON ${schema}.jobs_processing FOR EACH ROW EXECUTE FUNCTION ${schema}.dawdle();
    ALTER ROLE ${name} SET statement_timeout = '300ms'`)
  url.username = name
  const hasty = createPgq({ connectionString: url.href, schema })
  cleanUpAfterwards(() => hasty.close())
  const queue = defineQueue('many')
  await pgq.enqueueMany(queue, Array(300).fill(null))
  await work(hasty, [handle(queue, () => {}, { concurrency: 300 })])
  await until(
    'all are completed',
    async () => (await pgq.counts({ queue, status: 'completed' }))[0]?.jobs === 300,
    60_000,
  )
  expect(await pgq.counts({ queue, status: 'processing' })).toEqual([])
})
