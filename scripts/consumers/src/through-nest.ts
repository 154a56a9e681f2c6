import 'reflect-metadata'
import { Injectable, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { JobOf, Pgq } from '@pgq/core'
import { InjectPgq, InjectQueue, PgqModule, Processor, type QueueClient } from '@pgq/nest'
import { letters } from './queues.js'

@Injectable()
class Stationery {
  write(name: string): string {
    return `Dear ${name}`
  }
}

@Processor(letters, { concurrency: 5 })
class LetterProcessor {
  constructor(private readonly stationery: Stationery) {}

  async process(job: JobOf<typeof letters>): Promise<string> {
    return this.stationery.write(job.payload.name)
  }
}

@Injectable()
class Office {
  constructor(
    @InjectQueue(letters) private readonly queue: QueueClient<typeof letters>,
    @InjectPgq() private readonly pgq: Pgq,
  ) {}

  async send(name: string): Promise<unknown> {
    const { id } = await this.queue.enqueue({ name })
    let result: unknown
    for await (const job of this.pgq.watch(id)) result = job.result
    return result
  }
}

@Module({ imports: [PgqModule.forFeature([letters])], providers: [Stationery, LetterProcessor, Office] })
class LetterModule {}

/** Enqueues and processes in a Nest application, whose injection needs the metadata that the compiler emits. */
export async function throughNest(connectionString: string): Promise<void> {
  @Module({ imports: [PgqModule.forRoot({ connectionString, migrate: 'auto' }), LetterModule] })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] })
  const letter = await app.get(Office).send('Bob')
  await app.close()
  if (letter !== 'Dear Bob') throw new Error(`the letter is ${JSON.stringify(letter)}`)
}
