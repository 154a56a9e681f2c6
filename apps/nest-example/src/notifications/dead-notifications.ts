import { Injectable, Logger } from '@nestjs/common'
import { type JobEvent, OnJobEvent } from '@pgq/nest'
import { notificationsQueue } from './notifications.queue.ts'

/** Somebody should hear of what could not be sent. */
@Injectable()
export class DeadNotifications {
  private readonly logger = new Logger(DeadNotifications.name)

  @OnJobEvent('job.dead', notificationsQueue)
  alert({ job, error }: JobEvent<'job.dead'>): void {
    this.logger.error(`notification ${job.id} was given up after ${job.attempt} attempts: ${error.message}`)
  }
}
