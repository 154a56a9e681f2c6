import { fromDrizzle, jobsOf } from '@pgq/drizzle'
import { and, eq, sql } from 'drizzle-orm'
import { Router } from 'express'
import { z } from 'zod'
import { userOf } from '../authenticate.ts'
import type { Database } from '../database.ts'
import { bodyOf, storableText } from '../input.ts'
import { fulfilment } from '../queues.ts'
import { orders } from '../schema.ts'

const newOrder = z.object({ item: storableText(200), quantity: z.int().min(1).max(1_000) })

/** The jobs are a table beside the orders. */
const jobs = jobsOf(fulfilment)

/** Orders are taken, once for each `Idempotency-Key`, and looked at. */
export function orderRoutes({ db }: Pick<Database, 'db'>): Router {
  const router = Router()

  router.post('/', async (req, res) => {
    const owner = userOf(req)
    const input = bodyOf(req, newOrder)
    // The order, its job and this answer commit together, or not at all.
    const reply = await db.transaction((drizzleTx) => {
      const tx = fromDrizzle(drizzleTx)
      return req.pgq.idempotent(tx, async () => {
        const [order] = await drizzleTx
          .insert(orders)
          .values({ ...input, owner })
          .returning()
        if (!order) throw new Error('INSERT returned no row')
        await req.pgq.enqueue(fulfilment, { orderId: order.id }, { tx, metadata: { owner } })
        return { status: 201, headers: { Location: `${req.baseUrl}/${order.id}` }, body: order }
      })
    })
    req.pgq.send(res, reply)
  })

  router.get('/:id', async (req, res) => {
    const id = z.uuid().safeParse(req.params.id)
    if (!id.success) return void res.sendStatus(404)
    const [found] = await db
      .select({ order: orders, fulfilment: jobs.status })
      .from(orders)
      .leftJoin(jobs, eq(sql`${jobs.payload} ->> 'orderId'`, sql`${orders.id}::text`))
      .where(and(eq(orders.id, id.data), eq(orders.owner, userOf(req))))
    if (!found) return void res.sendStatus(404)
    res.json({ ...found.order, fulfilment: found.fulfilment })
  })

  return router
}
