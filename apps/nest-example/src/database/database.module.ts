import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common'
import { Config } from '../config.ts'
import { Database } from './database.ts'

/** Opens the database, and closes it when jobs and requests are over: in the last hook that there is. */
@Module({
  providers: [
    {
      provide: Database,
      inject: [Config],
      useFactory: (config: Config) => Database.open(config.databaseUrl),
    },
  ],
  exports: [Database],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(Database) private readonly database: Database) {}

  onApplicationShutdown(): Promise<void> {
    return this.database.close()
  }
}
