import 'reflect-metadata'
import { ConsoleLogger, type INestApplicationContext, StandardSchemaValidationPipe } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { PgqExceptionFilter } from '@pgq/nest'
import { AppModule } from './app.module.ts'
import { Config } from './config.ts'

/** The same application in three roles: an API that enqueues, a worker that has no port, or both in one process. */
const app = await start(new ConsoleLogger({ prefix: 'shop' }))
app.enableShutdownHooks() // without it SIGTERM would not wait for anything

async function start(logger: ConsoleLogger): Promise<INestApplicationContext> {
  const { role, port } = new Config()
  if (role === 'worker') return NestFactory.createApplicationContext(AppModule, { logger })
  const server = await NestFactory.create(AppModule, { logger })
  server.useGlobalPipes(new StandardSchemaValidationPipe())
  server.useGlobalFilters(new PgqExceptionFilter())
  await server.listen(port)
  logger.log(`listening on ${await server.getUrl()}`)
  return server
}
