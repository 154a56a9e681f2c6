import { createPgq, hasEnded } from '@pgq/core'
import { dashboard } from '@pgq/dashboard'
import { dashboardMiddleware } from '@pgq/dashboard/express'
import { fromDrizzle, handleWithDrizzle, jobsOf } from '@pgq/drizzle'
import { gracefulShutdown, healthRouter, jobStatusRouter, pgqMiddleware, problems } from '@pgq/express'
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import express from 'express'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { greetings } from './queues.js'

const people = pgTable('people', { name: text('name').primaryKey(), greeting: text('greeting') })

/** Enqueues in a route, in a Drizzle transaction; processes in one; asks for the job over HTTP until it has ended. */
export async function throughExpress(connectionString: string): Promise<void> {
  const pool = new pg.Pool({ connectionString })
  const db = drizzle({ client: pool })
  await pool.query('CREATE TABLE people (name text PRIMARY KEY, greeting text)')
  const pgq = createPgq({ pool })
  await pgq.migrate()

  const handle = handleWithDrizzle((client) => drizzle({ client }))
  const greet = handle(greetings, async (job, { tx }) => {
    const greeting = `Hello, ${job.payload.name}`
    await tx.update(people).set({ greeting }).where(eq(people.name, job.payload.name))
    return greeting
  })
  const worker = pgq.createWorker([greet])
  await worker.start()

  const app = express()
  app.use(express.json(), pgqMiddleware(pgq))
  app.post('/people', async (req, res) => {
    const { name } = req.body as { name: string }
    const job = await db.transaction(async (tx) => {
      await tx.insert(people).values({ name })
      return req.pgq.enqueue(greetings, { name }, { tx: fromDrizzle(tx) })
    })
    req.pgq.accepted(res, job)
  })
  app.use('/jobs', jobStatusRouter(pgq, { authorize: () => true }))
  app.use('/admin', dashboardMiddleware(pgq, { authorize: () => 'read' }))
  app.use(healthRouter(pgq, { workers: [worker] }), problems())
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const shutDown = gracefulShutdown({ server, pgq, workers: [worker], pools: [pool], signals: [] })

  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const body = JSON.stringify({ name: 'Ada' })
  const headers = { 'content-type': 'application/json' }
  const accepted = await fetch(`${origin}/people`, { method: 'POST', headers, body })
  const address = new URL(accepted.headers.get('location') ?? '', origin)
  const job = await ended(address)
  if (accepted.status !== 202 || job.result !== 'Hello, Ada')
    throw new Error(`not greeted: ${JSON.stringify(job)}`)

  const jobs = jobsOf(greetings)
  const joined = db
    .select({ greeting: people.greeting, status: jobs.status })
    .from(people)
    .innerJoin(jobs, eq(sql`${jobs.payload} ->> 'name'`, people.name))
  const [row] = await joined
  if (row?.greeting !== 'Hello, Ada' || row.status !== 'completed')
    throw new Error(`joined: ${JSON.stringify(row)}`)
  const page = await fetch(`${origin}/admin`)
  const script = /src="([^"]+)"/.exec(await page.text())?.[1] ?? ''
  const [file, closed] = [await fetch(new URL(script, page.url)), dashboard(pgq, { authorize: () => 'none' })]
  const refused = await closed(new Request(origin))
  if (file.status !== 200 || refused.status !== 403)
    throw new Error(`the dashboard: ${file.status}, ${refused.status}`)

  const { clean } = await shutDown()
  if (!clean) throw new Error('the shutdown was not clean')
}

async function ended(address: URL): Promise<{ result?: unknown }> {
  for (;;) {
    const job = (await (await fetch(address)).json()) as {
      status: Parameters<typeof hasEnded>[0]
      result?: unknown
    }
    if (hasEnded(job.status)) return job
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
