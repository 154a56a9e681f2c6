import { Scope, UseInterceptors } from '@nestjs/common'
import type { JobOf } from '@pgq/core'
import { Processor } from '@pgq/nest'
import { LogJobs } from '../jobs/log-jobs.interceptor.ts'
import { Mailer } from './mailer.ts'
import { notificationsQueue } from './notifications.queue.ts'
import { Recipient } from './recipient.ts'

/** Tells a customer something. There is an instance for each job, with the recipient of that job. */
@UseInterceptors(LogJobs)
@Processor(notificationsQueue, { scope: Scope.REQUEST, concurrency: 20 })
export class NotificationProcessor {
  constructor(
    private readonly recipient: Recipient,
    private readonly mailer: Mailer,
  ) {}

  async process(job: JobOf<typeof notificationsQueue>): Promise<void> {
    const body = `${this.recipient.greeting}, ${job.payload.text}`
    await this.mailer.send({ to: this.recipient.address, body, key: job.id }) // the id is the same in every attempt
  }
}
