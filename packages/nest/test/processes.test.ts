import { defineQueue } from '@pgq/core'
import { expect, test } from 'vitest'
import { type FreshSchema, freshSchema } from './support/fresh-schema.ts'
import { startOutside } from './support/outside-app.ts'
import { settled } from './support/settled.ts'

const letters = defineQueue('letter')

function environment({ databaseUrl, schema }: FreshSchema): Record<string, string> {
  return { DATABASE_URL: databaseUrl, PGQ_SCHEMA: schema }
}

test('one process only enqueues, another one only works', async () => {
  const fresh = await freshSchema()
  const api = startOutside('app.mjs', { ...environment(fresh), KIND: 'api' })
  const { enqueued } = await api.said('enqueued')
  await api.said('ready')
  expect((await fresh.pgq.get(enqueued as string))?.status).toBe('pending')
  const worker = startOutside('app.mjs', { ...environment(fresh), KIND: 'worker' })
  expect((await settled(fresh.pgq, enqueued as string)).result).toBe('delivered')
  expect(await worker.said('began')).toEqual({ began: enqueued })
  expect(api.lines.some((line) => 'began' in line)).toBe(false)
})

test('SIGTERM waits for the handlers that run, before their module is destroyed', async () => {
  const fresh = await freshSchema()
  const worker = startOutside('app.mjs', { ...environment(fresh), KIND: 'worker', HOLD_MS: '500' })
  await worker.said('ready')
  const { id } = await fresh.pgq.enqueue(letters, {})
  await worker.said('began')
  worker.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: null, signal: 'SIGTERM' }) // Nest sends itself the signal again when it is done
  expect(worker.lines).toEqual([{ ready: fresh.schema }, { began: id }, { ended: id }, { destroyed: true }])
  expect(await fresh.pgq.get(id)).toMatchObject({ status: 'completed', attempts: 1 })
})

test('PGQ_WORKER=0 makes a worker process idle', async () => {
  const fresh = await freshSchema()
  const { id } = await fresh.pgq.enqueue(letters, {})
  const idle = startOutside('app.mjs', { ...environment(fresh), KIND: 'briefly', PGQ_WORKER: '0' })
  await idle.said('closed')
  expect((await fresh.pgq.get(id))?.attempts).toBe(0)
})

test('a process ends by itself when its application has been closed', async () => {
  const fresh = await freshSchema()
  const { id } = await fresh.pgq.enqueue(letters, {})
  const brief = startOutside('app.mjs', { ...environment(fresh), KIND: 'briefly', HOLD_MS: '100' })
  expect(await brief.exited).toEqual({ code: 0, signal: null })
  expect((await fresh.pgq.get(id))?.status).toMatch(/completed|pending/)
})

test('a process whose start fails ends by itself, and has done no work', async () => {
  const fresh = await freshSchema()
  const { id } = await fresh.pgq.enqueue(letters, {})
  const failing = startOutside('app.mjs', { ...environment(fresh), KIND: 'worker', FAIL: 'not today' })
  expect((await failing.exited).code).toBe(1)
  expect((await fresh.pgq.get(id))?.attempts).toBe(0)
})

test('an application in CommonJS requires it', async () => {
  const fresh = await freshSchema()
  const app = startOutside('app.cjs', environment(fresh))
  const { enqueued } = await app.said('enqueued')
  expect(await app.said('handled')).toEqual({ handled: enqueued })
  app.kill('SIGTERM')
  expect((await app.exited).signal).toBe('SIGTERM')
})
