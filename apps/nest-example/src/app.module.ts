import { Module } from '@nestjs/common'
import { PgqModule } from '@pgq/nest'
import { Config, ConfigModule } from './config.ts'
import { Database } from './database/database.ts'
import { DatabaseModule } from './database/database.module.ts'
import { HealthModule } from './health/health.module.ts'
import { InvoicesModule } from './invoices/invoices.module.ts'
import { NotificationsModule } from './notifications/notifications.module.ts'
import { OrdersModule } from './orders/orders.module.ts'

/** The whole shop: orders come in by HTTP, invoices and notifications are jobs. */
@Module({
  imports: [
    ConfigModule,
    PgqModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [Database, Config],
      useFactory: ({ pool }: Database, { role, lease }: Config) => ({
        pool, // the queue is in the application's own database, and enqueues on its connections
        migrate: 'auto', // in production, rather as a step of the deployment
        worker: role === 'api' ? false : { lease },
      }),
    }),
    OrdersModule,
    InvoicesModule,
    NotificationsModule,
    HealthModule,
  ],
})
export class AppModule {}
