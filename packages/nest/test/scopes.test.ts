import { Inject, Injectable, Scope } from '@nestjs/common'
import { type ContextId, ContextIdFactory, type HostComponentInfo, REQUEST } from '@nestjs/core'
import {
  defineQueue,
  type Job,
  type JobContext,
  type JobOf,
  type,
  type TransactionalJobContext,
} from '@pgq/core'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test } from 'vitest'
import { InjectJob, InjectJobContext, PgqModule, Process, Processor } from '../src/index.ts'
import { freshSchema } from './support/fresh-schema.ts'
import { startApp } from './support/start-app.ts'
import { until } from '@pgq/test-support'
import { settled } from './support/settled.ts'

const visits = defineQueue('visit', { payload: type<{ tenant: string }>(), maxAttempts: 1 })

/** Runs jobs for the given tenants, and returns them in that order. */
async function run(providers: object[], tenants: readonly string[]) {
  const { options, pgq } = await freshSchema()
  const app = await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true })],
    providers: providers as [],
  })
  const written = await pgq.enqueueMany(
    visits,
    tenants.map((tenant) => ({ tenant })),
  )
  const jobs = await Promise.all(written.map(({ id }) => settled(pgq, id)))
  return { app, pgq, jobs }
}

test('a request-scoped processor and what it needs are made for each job, which they can inject', async () => {
  let made = 0
  @Injectable({ scope: Scope.REQUEST })
  class Tenant {
    readonly number = ++made
    constructor(@InjectJob() readonly job: JobOf<typeof visits>) {}
  }
  @Processor(visits, { scope: Scope.REQUEST, concurrency: 5 })
  class VisitProcessor {
    private calls = 0
    constructor(
      private readonly tenant: Tenant,
      @Inject(REQUEST) private readonly request: Job,
      @InjectJobContext() private readonly context: JobContext,
    ) {}
    async process(job: JobOf<typeof visits>, ctx: JobContext) {
      await new Promise((resolve) => setTimeout(resolve, 5)) // so that jobs overlap
      return {
        tenant: this.tenant.job.payload.tenant,
        same: this.request === job && this.context === ctx && this.tenant.job === job,
        calls: ++this.calls,
      }
    }
  }
  const { jobs } = await run([Tenant, VisitProcessor], ['a', 'b', 'c', 'd', 'e', 'f'])
  expect(jobs.map((job) => job.result)).toEqual(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((tenant) => ({ tenant, same: true, calls: 1 })),
  )
  expect(made).toBe(6)
})

test('a processor is request-scoped when something that it needs is', async () => {
  @Injectable({ scope: Scope.REQUEST })
  class Tenant {
    constructor(@InjectJob() readonly job: JobOf<typeof visits>) {}
  }
  @Injectable()
  class Visits {
    constructor(private readonly tenant: Tenant) {}
    @Process(visits)
    visit(): string {
      return this.tenant.job.payload.tenant
    }
  }
  const { jobs } = await run([Tenant, Visits], ['a', 'b'])
  expect(jobs.map((job) => job.result)).toEqual(['a', 'b'])
})

test('a request-scoped repository writes in the transaction of the job', async () => {
  const { options, pgq, pool, schema } = await freshSchema()
  await pool.query(`CREATE TABLE ${schema}.visits (tenant text)`)
  @Injectable({ scope: Scope.REQUEST })
  class VisitRepository {
    constructor(@InjectJobContext() private readonly ctx: TransactionalJobContext) {}
    async add(tenant: string): Promise<void> {
      await this.ctx.tx.query(`INSERT INTO ${schema}.visits VALUES ($1)`, [tenant])
    }
  }
  @Processor(visits, { transactional: true })
  class VisitProcessor {
    constructor(private readonly repository: VisitRepository) {}
    async process(job: JobOf<typeof visits>): Promise<void> {
      await this.repository.add(job.payload.tenant)
      if (job.payload.tenant === 'bad') throw new Error('rolled back')
    }
  }
  await startApp({
    imports: [PgqModule.forRoot({ ...options, worker: true })],
    providers: [VisitRepository, VisitProcessor],
  })
  const written = await pgq.enqueueMany(visits, [{ tenant: 'good' }, { tenant: 'bad' }])
  for (const { id } of written) await settled(pgq, id)
  expect((await pool.query(`SELECT tenant FROM ${schema}.visits`)).rows).toEqual([{ tenant: 'good' }])
})

test('a transient processor is made for each job', async () => {
  let made = 0
  @Processor(visits, { scope: Scope.TRANSIENT })
  class VisitProcessor {
    private readonly number = ++made
    process(): number {
      return this.number
    }
  }
  const { jobs } = await run([VisitProcessor], ['a', 'b', 'c'])
  expect(new Set(jobs.map((job) => job.result)).size).toBe(3)
})

test('instances go with their jobs', async () => {
  const instances: WeakRef<object>[] = []
  @Injectable({ scope: Scope.REQUEST })
  class Ballast {
    readonly bytes = new Uint8Array(100_000)
    constructor() {
      instances.push(new WeakRef(this))
    }
  }
  @Processor(visits, { scope: Scope.REQUEST })
  class VisitProcessor {
    constructor(readonly ballast: Ballast) {
      instances.push(new WeakRef(this))
    }
    process(): void {}
  }
  @Injectable()
  class Transient {}
  const { app } = await run(
    [Ballast, VisitProcessor, Transient],
    Array.from({ length: 50 }, () => 'a'),
  )
  expect(instances).toHaveLength(100)
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // The last job may still be referred to by what has just run.
  await until('they are collected', async () => {
    collect()
    return instances.filter((instance) => instance.deref() !== undefined).length <= 2
  })
  expect(app.get(Transient)).toBeInstanceOf(Transient)
})

test('a durable processor is made once for each tenant', async () => {
  const tenants = new Map<string, ContextId>()
  ContextIdFactory.apply({
    attach(contextId: ContextId, request: Job<{ tenant: string }>) {
      const { tenant } = request.payload
      const own = tenants.get(tenant) ?? ContextIdFactory.create()
      tenants.set(tenant, own)
      return {
        resolve: (info: HostComponentInfo) => (info.isTreeDurable ? own : contextId),
        payload: { tenant },
      }
    },
  })
  onTestFinished(() => ContextIdFactory.apply(undefined as never))
  let made = 0
  @Injectable({ scope: Scope.REQUEST, durable: true })
  class Connection {
    readonly number = ++made
    constructor(@Inject(REQUEST) readonly request: { tenant: string }) {}
  }
  @Injectable({ scope: Scope.REQUEST, durable: true })
  class Visits {
    constructor(private readonly connection: Connection) {}
    @Process(visits, { concurrency: 1 })
    visit() {
      return this.connection.request.tenant
    }
  }
  const { jobs } = await run([Connection, Visits], ['a', 'b', 'a', 'b', 'a'])
  expect(jobs.map((job) => job.result)).toEqual(['a', 'b', 'a', 'b', 'a'])
  expect(made).toBe(2)
})
