import { Module } from '@nestjs/common'
import { DatabaseModule } from '../database/database.module.ts'
import { DeadNotifications } from './dead-notifications.ts'
import { Mailer } from './mailer.ts'
import { NotificationProcessor } from './notification.processor.ts'
import { Recipient } from './recipient.ts'

@Module({
  imports: [DatabaseModule],
  providers: [NotificationProcessor, Recipient, Mailer, DeadNotifications],
})
export class NotificationsModule {}
