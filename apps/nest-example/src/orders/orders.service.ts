import { Injectable } from '@nestjs/common'
import { InjectQueue, QueueClient } from '@pgq/nest'
import { Database } from '../database/database.ts'
import { invoicesQueue } from '../invoices/invoices.queue.ts'
import type { NewOrder } from './new-order.ts'

/** An order, with its invoice and the job that writes it. */
export interface Order extends NewOrder {
  readonly id: string
  readonly invoices: readonly number[]
  readonly invoicing: string
}

@Injectable()
export class OrdersService {
  constructor(
    private readonly database: Database,
    @InjectQueue(invoicesQueue) private readonly invoices: QueueClient<typeof invoicesQueue>,
  ) {}

  /** The order and the job of its invoice commit together, or neither exists. */
  place({ customer, item, cents }: NewOrder): Promise<{ id: string; jobId: string }> {
    return this.database.transaction(async (tx) => {
      const insert = 'INSERT INTO orders (customer, item, cents) VALUES ($1, $2, $3) RETURNING id'
      const { rows } = await tx.query<{ id: string }>(insert, [customer, item, cents])
      const id = rows[0]?.id ?? ''
      const job = await this.invoices.enqueue({ orderId: id }, { tx })
      return { id, jobId: job.id }
    })
  }

  /** Jobs are rows: what became of one is a join away. */
  async find(id: string): Promise<Order | undefined> {
    const { rows } = await this.database.pool.query<Order>(
      `SELECT orders.*, job.status AS invoicing,
              ARRAY(SELECT number FROM invoices WHERE order_id = orders.id) AS invoices
       FROM orders
       JOIN pgq.jobs AS job ON job.queue_name = $2 AND job.payload ->> 'orderId' = orders.id::text
       WHERE orders.id = $1`,
      [id, invoicesQueue.name],
    )
    return rows[0]
  }
}
