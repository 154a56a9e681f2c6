import { Module } from '@nestjs/common'
import { PgqModule } from '@pgq/nest'
import { DatabaseModule } from '../database/database.module.ts'
import { invoicesQueue } from '../invoices/invoices.queue.ts'
import { OrdersController } from './orders.controller.ts'
import { OrdersService } from './orders.service.ts'

@Module({
  imports: [DatabaseModule, PgqModule.forFeature([invoicesQueue])],
  controllers: [OrdersController],
  providers: [OrdersService],
})
export class OrdersModule {}
