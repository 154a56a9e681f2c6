import { Module } from '@nestjs/common'
import { PgqModule } from '@pgq/nest'
import { notificationsQueue } from '../notifications/notifications.queue.ts'
import { InvoiceProcessor } from './invoice.processor.ts'

@Module({ imports: [PgqModule.forFeature([notificationsQueue])], providers: [InvoiceProcessor] })
export class InvoicesModule {}
