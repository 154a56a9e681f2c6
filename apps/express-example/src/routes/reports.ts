import { fromDrizzle } from '@pgq/drizzle'
import { and, asc, eq } from 'drizzle-orm'
import { Router } from 'express'
import { z } from 'zod'
import { userOf } from '../authenticate.ts'
import type { Database } from '../database.ts'
import { bodyOf } from '../input.ts'
import { yearReport } from '../queues.ts'
import { reportLines, reports } from '../schema.ts'

const newReport = z.object({ year: z.int().min(2000).max(2100) })

/** Reports are asked for, and take their time: the answer is 202 and where to look. */
export function reportRoutes({ db }: Pick<Database, 'db'>): Router {
  const router = Router()

  router.post('/', async (req, res) => {
    const owner = userOf(req)
    const { year } = bodyOf(req, newReport)
    const { job, reportId } = await db.transaction(async (tx) => {
      const [report] = await tx.insert(reports).values({ owner, year }).returning()
      if (!report) throw new Error('INSERT returned no row')
      const options = { tx: fromDrizzle(tx), metadata: { owner } }
      return { job: await req.pgq.enqueue(yearReport, { reportId: report.id }, options), reportId: report.id }
    })
    req.pgq.accepted(res, job, { report: `${req.baseUrl}/${reportId}` })
  })

  router.get('/:id', async (req, res) => {
    const id = z.uuid().safeParse(req.params.id)
    if (!id.success) return void res.sendStatus(404)
    const isOwn = and(eq(reports.id, id.data), eq(reports.owner, userOf(req)))
    const [report] = await db.select().from(reports).where(isOwn)
    if (!report) return void res.sendStatus(404)
    const { month, orders, quantity } = reportLines
    const lines = await db
      .select({ month, orders, quantity })
      .from(reportLines)
      .where(eq(reportLines.reportId, report.id))
      .orderBy(asc(month))
    res.json({ id: report.id, year: report.year, lines })
  })

  return router
}
