import { setTimeout as sleep } from 'node:timers/promises'
import { DeadJob, type Handler } from '@pgq/core'
import { and, count, eq, type SQL, sql, sum } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { yearReport } from '../queues.ts'
import { orders, reportLines, reports } from '../schema.ts'
import { handle } from './handle.ts'

const MONTHS = 12

/**
 * Adds up a year. The long part reads on the application's own connections and says how far it is; the lines are written in the end,
 * in the transaction that completes the job: whichever attempt comes through, they are there once.
 */
export function buildReport({ db }: Pick<Database, 'db'>, monthMs: number): Handler {
  return handle(
    yearReport,
    async (job, ctx) => {
      const { reportId } = job.payload
      const [report] = await db.select().from(reports).where(eq(reports.id, reportId))
      if (!report) throw new DeadJob(`there is no report ${reportId}`)
      const lines: (typeof reportLines.$inferInsert)[] = []
      for (let month = 1; month <= MONTHS; month++) {
        // Cancelled, or out of time: the signal says so, and there is nothing to clean up.
        await sleep(monthMs, undefined, { signal: ctx.signal })
        const [sums] = await db
          .select({ orders: count(), quantity: sum(orders.quantity).mapWith(Number) })
          .from(orders)
          .where(and(eq(orders.owner, report.owner), inMonth(report.year, month)))
        lines.push({ reportId, month, orders: sums?.orders ?? 0, quantity: sums?.quantity ?? 0 })
        await ctx.progress({ done: month, of: MONTHS })
      }
      await ctx.tx.insert(reportLines).values(lines)
      const total = (key: 'orders' | 'quantity'): number => lines.reduce((all, line) => all + line[key], 0)
      return { reportId, orders: total('orders'), quantity: total('quantity') }
    },
    { concurrency: 4 },
  )
}

const inMonth = (year: number, month: number): SQL =>
  sql`date_trunc('month', ${orders.createdAt}, 'UTC') = make_timestamptz(${year}, ${month}, 1, 0, 0, 0, 'UTC')`
