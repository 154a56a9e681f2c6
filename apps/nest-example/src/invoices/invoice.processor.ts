import { setTimeout as sleep } from 'node:timers/promises'
import { UseInterceptors } from '@nestjs/common'
import { DeadJob, type JobOf, type TransactionalJobContext } from '@pgq/core'
import { InjectQueue, Processor, QueueClient } from '@pgq/nest'
import { Config } from '../config.ts'
import { LogJobs } from '../jobs/log-jobs.interceptor.ts'
import { notificationsQueue } from '../notifications/notifications.queue.ts'
import { invoicesQueue } from './invoices.queue.ts'

/**
 * Writes the invoice of an order. Its number, the notification and the completion of the job commit together: whenever the
 * process dies, there is one invoice in the end, and no number is given to two.
 */
@UseInterceptors(LogJobs)
@Processor(invoicesQueue, { transactional: true, concurrency: 5 })
export class InvoiceProcessor {
  constructor(
    private readonly config: Config,
    @InjectQueue(notificationsQueue) private readonly notifications: QueueClient<typeof notificationsQueue>,
  ) {}

  async process(job: JobOf<typeof invoicesQueue>, { tx, signal }: TransactionalJobContext) {
    const { orderId } = job.payload
    const [order] = (await tx.query('SELECT customer, item FROM orders WHERE id = $1', [orderId])).rows as {
      customer: string
      item: string
    }[]
    if (!order) throw new DeadJob(`there is no order ${orderId}`)
    const insert = 'INSERT INTO invoices (order_id) VALUES ($1) RETURNING number'
    const [invoice] = (await tx.query(insert, [orderId])).rows as { number: number }[]
    const number = invoice?.number ?? 0
    await sleep(this.config.printingMs, undefined, { signal }) // here a printer would work
    const text = `Invoice ${number} for your ${order.item}`
    await this.notifications.enqueue({ customer: order.customer, text }, { tx })
    return { number }
  }
}
