import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { defineQueue, handle } from '../src/index.ts'
import { MIGRATIONS } from '../src/migrations/index.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { freshQueue } from './support/fresh-queue.ts'

const coded = (code: string) => expect.objectContaining({ name: 'PgqError', code })
const insert = (schema: string, id: number, breaking: boolean): string =>
  `INSERT INTO ${schema}.migrations (id, name, checksum, breaking) VALUES (${id}, 'from the future', 'x', ${breaking})`

test('a schema with an unknown breaking migration is too new, for everyone who would work on it', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(insert(schema, 99, true))
  const worker = pgq.createWorker([handle(defineQueue('mail'), () => {})])
  for (const call of [() => pgq.check(), () => pgq.migrate(), () => worker.start()])
    await expect(call()).rejects.toThrow(coded('SCHEMA_TOO_NEW'))
  await expect(pgq.check()).rejects.toThrow(/migration 99 \(from the future\).*update @pgq\/core/)
})

test('a newer schema that older packages can work with is accepted, and left as it is', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(insert(schema, 99, false))
  await expect(pgq.check()).resolves.toBeUndefined()
  await expect(pgq.migrate()).resolves.toEqual({ version: 99, applied: [] })
  await expect(pgq.enqueue(defineQueue('mail'), 1)).resolves.toMatchObject({ deduplicated: false })
})

test('a schema that lacks a migration is too old', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`DELETE FROM ${schema}.migrations WHERE id = (SELECT max(id) FROM ${schema}.migrations)`)
  const worker = pgq.createWorker([handle(defineQueue('mail'), () => {})])
  for (const call of [() => pgq.check(), () => worker.start()])
    await expect(call()).rejects.toThrow(coded('SCHEMA_TOO_OLD'))
  await expect(pgq.check()).rejects.toThrow(/run pgq\.migrate\(\)/)
})

test('a migration that is not the one this package holds is noticed', async () => {
  const { pgq, sql, schema } = await freshQueue()
  await sql(`UPDATE ${schema}.migrations SET checksum = md5(checksum) WHERE id = 1`)
  for (const call of [() => pgq.check(), () => pgq.migrate()])
    await expect(call()).rejects.toThrow(coded('MIGRATION_CHANGED'))
})

test('a migration that fails leaves nothing behind', async () => {
  const { pgq, sql, schema } = await freshQueue()
  // The next version's DDL meets something that is already there.
  await sql(`DELETE FROM ${schema}.migrations WHERE id = (SELECT max(id) FROM ${schema}.migrations)`)
  const ledger = await sql(`SELECT * FROM ${schema}.migrations`)
  await expect(pgq.migrate()).rejects.toThrow(coded('DATABASE_REJECTED'))
  expect(await sql(`SELECT * FROM ${schema}.migrations`)).toEqual(ledger)
})

test('migrations are numbered without gaps and keep their text once they are released', () => {
  expect(MIGRATIONS.map(({ id }) => id)).toEqual(MIGRATIONS.map((_, index) => index + 1))
  const tables = tablesIn('pgq')
  const frozen = MIGRATIONS.map(({ id, name, breaking, up }) => {
    const checksum = createHash('sha256').update(up(tables)).digest('hex').slice(0, 16)
    return `${id} ${name}${breaking ? ' (breaking)' : ''} ${checksum}`
  })
  // Before the first release: update it (vitest -u) with every change. Afterwards: never; add a migration instead.
  expect(frozen).toMatchSnapshot()
})
