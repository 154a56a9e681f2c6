import { jobsOf } from '@pgq/drizzle'
import { and, count, eq, sql } from 'drizzle-orm'
import { ledger } from './queues.ts'
import { payments, postings } from './schema.ts'
import type { Shop } from './shop.ts'
import { WorkerProcess } from './worker-process.ts'

/** How a worker was killed, and what it has left behind. */
export interface Crash {
  readonly invoice: string
  readonly pid: number
  /** What the job looked like right after the kill: it still belongs to the dead worker. */
  readonly job: { readonly id: string; readonly status: string; readonly attempts: number }
  /** The postings of that payment right after the kill. */
  readonly postings: number
}

/** Starts a worker and kills it, with SIGKILL, in the middle of its handler: after one posting, and before the other. */
export async function crashHalfWay(shop: Shop, databaseUrl: string, invoice: string): Promise<Crash> {
  const worker = new WorkerProcess(databaseUrl, { haltAt: invoice })
  try {
    await worker.said('half-way')
  } finally {
    await worker.kill()
  }
  return { invoice, pid: worker.pid, ...(await lookAt(shop, invoice)) }
}

async function lookAt({ db }: Shop, invoice: string): Promise<Pick<Crash, 'job' | 'postings'>> {
  const jobs = jobsOf(ledger)
  const [job] = await db
    .select({ id: jobs.id, status: jobs.status, attempts: jobs.attempts })
    .from(jobs)
    .innerJoin(
      payments,
      and(eq(sql`(${jobs.payload} ->> 'paymentId')::uuid`, payments.id), eq(payments.invoice, invoice)),
    )
  if (!job) throw new Error(`no job posts invoice ${invoice}`)
  const [left] = await db.select({ rows: count() }).from(postings).where(eq(postings.jobId, job.id))
  return { job, postings: left?.rows ?? 0 }
}
