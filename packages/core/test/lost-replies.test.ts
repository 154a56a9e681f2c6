import { expect, test } from 'vitest'
import { createPgq, defineQueue, fixed, handle, type Pgq, SnoozeJob } from '../src/index.ts'
import { cleanUpAfterwards, latch, until, work } from '@pgq/test-support'
import { freshQueue } from './support/fresh-queue.ts'
import { type Proxy, startProxy } from './support/proxy.ts'
import { type Fate, startMessageProxy } from './support/message-proxy.ts'
import { collect } from './support/collect.ts'

const { pgq: direct, schema, databaseUrl } = await freshQueue()

async function through(): Promise<{ pgq: Pgq; proxy: Proxy }> {
  const proxy = await startProxy(databaseUrl)
  const pgq = createPgq({ connectionString: proxy.url, schema })
  cleanUpAfterwards(() => pgq.close())
  return { pgq, proxy }
}

const CLAIM = /claim_jobs\(/

test('a job whose claim was made and whose answer was lost is run all the same, by the worker that lives on', async () => {
  const { pgq, proxy } = await through()
  const queue = defineQueue('lost.claim')
  const completed = collect(pgq, 'job.completed')
  const eaten = proxy.eatReplyTo(CLAIM)
  const ids = (await direct.enqueueMany(queue, [1, 2, 3])).map(({ id }) => id)
  await work(pgq, [handle(queue, () => {})], { lease: '1s' })
  await eaten
  await until('all are done', () => completed.length === 3)
  for (const id of ids) expect(await direct.get(id)).toMatchObject({ status: 'completed', attempts: 1 })
})

interface Case {
  readonly run: (attempt: number) => void
  readonly sent: RegExp
  readonly told: 'job.completed' | 'job.failed' | 'job.snoozed' | 'job.dead'
  readonly after: object
  readonly maxAttempts?: number
}

const cases: Record<string, Case> = {
  completed: {
    run: () => {},
    sent: /settle_completed\(/,
    told: 'job.completed',
    after: { status: 'completed', attempts: 1, errors: [] },
  },
  failed: {
    run: () => {
      throw new Error('no')
    },
    sent: /settle_waiting\(/,
    told: 'job.failed',
    after: { status: 'failed', attempts: 1, error: 'no' },
  },
  dead: {
    maxAttempts: 1,
    run: () => {
      throw new Error('no')
    },
    sent: /settle_ended\(/,
    told: 'job.dead',
    after: { status: 'dead', attempts: 1, error: 'no' },
  },
  snoozed: {
    run: () => {
      throw new SnoozeJob('1h')
    },
    sent: /settle_waiting\(/,
    told: 'job.snoozed',
    after: { status: 'pending', attempts: 0 },
  },
}

test.for(Object.keys(cases))(
  'an attempt that ended as %s, and whose settle got no answer, is settled once and told as it was',
  async (name) => {
    const { run, sent, told, after, maxAttempts = 3 } = cases[name] as Case
    const { pgq, proxy } = await through()
    const queue = defineQueue(`lost.settle.${name}`, { maxAttempts, backoff: fixed('1h') })
    let runs = 0
    const goOn = latch()
    const events = collect(pgq, told)
    const lost = collect(pgq, 'job.lost')
    const handler = handle(queue, async (job) => {
      runs++
      await goOn.opened
      run(job.attempt)
    })
    await work(pgq, [handler], { maintenance: false })
    const { id } = await direct.enqueue(queue, null)
    await until('it runs', () => runs === 1)
    const eaten = proxy.eatReplyTo(sent)
    goOn.open()
    await eaten
    await until('it is told', () => events.length + lost.length === 1)
    expect(await direct.get(id)).toMatchObject(after)
    expect(events.map(({ job }) => job.id)).toEqual([id])
    expect(lost).toEqual([])
    expect(runs).toBe(1)
  },
)

test('a COMMIT that arrives when its worker has long given up the connection is told as a completion', async () => {
  const proxy = await startMessageProxy(databaseUrl)
  const pgq = createPgq({ connectionString: proxy.url, schema })
  cleanUpAfterwards(() => pgq.close())
  const queue = defineQueue('late.commit')
  const arrives = latch()
  let releases = 0
  let commits = 0
  proxy.decide = async ({ by, text }, connection): Promise<Fate> => {
    if (by === 'client' && text.includes('settle_waiting') && ++releases > 1) arrives.open()
    if (by === 'server' || !text.includes('COMMIT') || commits++ > 0) return 'pass'
    connection.hangUp()
    await arrives.opened
    return 'pass'
  }
  const completed = collect(pgq, 'job.completed')
  const lost = collect(pgq, 'job.lost')
  const handler = handle(queue, async (_, { tx }) => void (await tx.query('SELECT 1')), {
    transactional: true,
  })
  await work(pgq, [handler], { maintenance: false })
  const { id } = await direct.enqueue(queue, null)
  await until('it is told', () => completed.length + lost.length > 0)
  expect(completed.map(({ job }) => job.id)).toEqual([id])
  expect(lost).toEqual([])
  expect(await direct.get(id)).toMatchObject({ status: 'completed', attempts: 1, errors: [] })
  expect(releases).toBeGreaterThan(1)
})
