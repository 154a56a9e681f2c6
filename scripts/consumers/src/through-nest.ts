import 'reflect-metadata'
import { Controller, Get, Injectable, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus'
import { Test } from '@nestjs/testing'
import type { JobOf, Pgq } from '@pgq/core'
import { PgqDashboardModule } from '@pgq/dashboard/nest'
import {
  getPgqToken,
  InjectPgq,
  InjectQueue,
  PgqExceptionFilter,
  PgqModule,
  Processor,
  type QueueClient,
} from '@pgq/nest'
import { PgqHealthIndicator } from '@pgq/nest/terminus'
import { PgqTester, PgqTestingModule } from '@pgq/nest/testing'
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

@Controller()
class OfficeController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly jobs: PgqHealthIndicator,
    @InjectPgq() private readonly pgq: Pgq,
  ) {}

  @Get('health')
  @HealthCheck()
  check(): Promise<unknown> {
    return this.health.check([() => this.jobs.check('jobs', { maxOldestDue: '5m', queues: [letters] })])
  }

  @Get('nothing')
  nothing(): Promise<unknown> {
    return this.pgq.get('no-uuid')
  }
}

/** Enqueues and processes in a Nest application, whose injection needs the metadata that the compiler emits. */
export async function throughNest(connectionString: string): Promise<void> {
  const dashboard = PgqDashboardModule.register({
    path: 'admin/jobs',
    inject: [getPgqToken()],
    useFactory: (pgq: Pgq) => ({ pgq, authorize: () => 'read' }),
  })
  @Module({
    imports: [
      PgqModule.forRoot({ connectionString, migrate: 'auto' }),
      LetterModule,
      TerminusModule,
      dashboard,
    ],
    controllers: [OfficeController],
    providers: [PgqHealthIndicator],
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, { logger: false })
  app.useGlobalFilters(new PgqExceptionFilter())
  await app.listen(0, '127.0.0.1')
  const url = await app.getUrl()
  expectEqual('the letter', await app.get(Office).send('Bob'), 'Dear Bob')
  expectEqual('the health', (await fetch(`${url}/health`)).status, 200)
  expectEqual('the dashboard', (await fetch(`${url}/admin/jobs/api/queues`)).status, 200)
  expectEqual('what is no id', (await fetch(`${url}/nothing`)).status, 400)
  await app.close()
  await throughItsTester(connectionString)
}

/** Runs a handler and a queue as tests of applications do. */
async function throughItsTester(connectionString: string): Promise<void> {
  const imports = [PgqModule.forRoot({ connectionString }), LetterModule, PgqTestingModule]
  const module = await Test.createTestingModule({ imports }).compile()
  await module.init()
  const tester = module.get(PgqTester)
  const outcome = await tester.run(letters, { name: 'Ada' })
  expectEqual('the outcome', outcome.ok && outcome.result, 'Dear Ada')
  expectEqual('the drain', (await tester.drain()).failed, 0)
  await module.close()
}

function expectEqual(what: string, is: unknown, expected: unknown): void {
  if (is !== expected) throw new Error(`${what} is ${JSON.stringify(is)}, not ${JSON.stringify(expected)}`)
}
