import { cleanUpAfterwards, until } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { type AuditEvent, dashboard } from '../src/index.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { FROM_OUR_PAGE, ORIGIN } from './support/visitor.ts'

/** 2,500 jobs, of which somebody holds the 1,500th: deleting them gets to 1,000 and waits there. */
async function held(): Promise<FreshQueue & { readonly release: () => Promise<unknown> }> {
  const fresh = await freshQueue()
  const { pool, schema, sql } = fresh
  await sql(`INSERT INTO ${schema}.jobs (queue_name) SELECT 'mails' FROM generate_series(1, 2500)`)
  const holder = await pool.connect()
  cleanUpAfterwards(async () => holder.release(true))
  await holder.query('BEGIN')
  await holder.query(
    `SELECT FROM ${schema}.jobs WHERE id = (SELECT id FROM ${schema}.jobs ORDER BY id OFFSET 1499 LIMIT 1) FOR UPDATE`,
  )
  return { ...fresh, release: () => holder.query('COMMIT') }
}

/** Deletes all of them, and reads what is said meanwhile. */
async function deleteAll({ pgq }: FreshQueue, signal?: AbortSignal) {
  const told: AuditEvent[] = []
  const handler = dashboard(pgq, { authorize: () => 'write', audit: (event) => told.push(event) })
  const body = JSON.stringify({ action: 'delete', filter: { queue: 'mails' } })
  const init = { method: 'POST', headers: FROM_OUR_PAGE, body, ...(signal && { signal }) }
  const response = await handler(new Request(`${ORIGIN}/api/jobs`, init))
  const lines = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const nextLine = async (): Promise<unknown> => JSON.parse((await lines?.read())?.value ?? 'null')
  return { told, response, nextLine }
}

test('an action that takes long says how far it is, and what came of it at last', async () => {
  const fresh = await held()
  const { told, response, nextLine } = await deleteAll(fresh)
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'application/x-ndjson; charset=utf-8',
  ])
  expect(await nextLine()).toEqual({ soFar: 1_000 })
  await fresh.release()
  let last: unknown
  for (let line = await nextLine(); line !== null; line = await nextLine()) last = line
  expect(last).toEqual({ jobs: 2_500 })
  expect(told).toMatchObject([{ outcome: 'done', jobs: 2_500 }])
})

test('it ends when whoever wanted it has left, and the audit is told how far it was', async () => {
  const fresh = await held()
  const leaving = new AbortController()
  const { told, nextLine } = await deleteAll(fresh, leaving.signal)
  expect(await nextLine()).toEqual({ soFar: 1_000 })
  leaving.abort()
  await fresh.release()
  await until('the audit is told', () => told.length === 1)
  expect(told).toMatchObject([{ outcome: 'failed', jobs: 2_000 }])
  expect(await fresh.pgq.counts()).toMatchObject([{ jobs: 500 }])
})
