import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { defineQueue, handle, type Pgq } from '../src/index.ts'
import { tablesIn } from '../src/sql/statement.ts'
import { WorkerStore } from '../src/store/worker-store.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { until, work } from '@pgq/test-support'
import { collect } from './support/collect.ts'
import { stillWorker } from './support/held-jobs.ts'
import { startWorkerProcess, type Step, type WorkerProcess } from './support/worker-process.ts'

/** Short, and still long enough for a machine that does other things too. */
const LEASE = { lease: '1s' } as const

const steps = (...list: Step[]): { steps: Step[] } => ({ steps: list })

async function victimOn(
  queue: { schema: string; databaseUrl: string },
  name: string,
): Promise<WorkerProcess> {
  return startWorkerProcess({
    url: queue.databaseUrl,
    schema: queue.schema,
    queues: [{ name }],
    options: LEASE,
  })
}

const rescuedIds = (pgq: Pgq): (() => string[]) => {
  const events = collect(pgq, 'job.rescued')
  return () => events.flatMap(({ jobs }) => jobs.map(({ id }) => id))
}

/** This one takes as long as all others together, so it is under way while they run. */
const byDefault = await killWithDefaultSettings()

async function killWithDefaultSettings() {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = defineQueue('by.default')
  // It comes first, so it leads: its successor has to take over the lead as well.
  const victim = await startWorkerProcess({ url: fresh.databaseUrl, schema: fresh.schema, queues: [queue] })
  await victim.said('leader.elected')
  const jobs = await pgq.enqueueMany(queue, Array(5).fill(steps({ do: 'forever' })))
  for (const { id } of jobs) await victim.said('step.forever', id)
  const started = new Map<string, number>()
  const completed = collect(pgq, 'job.completed')
  await work(pgq, [handle(queue, (job) => void started.set(job.id, performance.now()))])
  const killedAt = performance.now()
  victim.kill('SIGKILL')
  return { pgq, jobs, started, completed, killedAt }
}

test('a killed worker loses its job: the attempt is charged and on record, and the next one runs', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = defineQueue('killed')
  const victim = await victimOn(fresh, 'killed')
  const { id } = await pgq.enqueue(queue, steps({ do: 'forever' }))
  await victim.said('step.forever', id)
  const attempts: unknown[] = []
  const rescued = rescuedIds(pgq)
  const elected = collect(pgq, 'leader.elected')
  const worker = await work(
    pgq,
    [handle(queue, ({ attempt, fence }) => void attempts.push({ attempt, fence }))],
    LEASE,
  )
  victim.kill('SIGKILL')
  await until('it has run again', () => attempts.length === 1)
  expect(attempts).toEqual([{ attempt: 2, fence: 3 }])
  expect(rescued()).toEqual([id])
  expect(elected).toEqual([{ workerId: worker.id }])
  await until('it is done', async () => (await pgq.get(id))?.status === 'completed')
  expect((await pgq.get(id))?.errors).toMatchObject([
    { attempt: 1, name: 'WORKER_LOST', message: expect.stringContaining('died or stalled') },
  ])
})

test('a job whose attempts are spent when its worker dies is dead', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = defineQueue('spent', { maxAttempts: 1 })
  const victim = await victimOn(fresh, 'spent')
  const { id } = await pgq.enqueue(queue, steps({ do: 'forever' }))
  await victim.said('step.forever', id)
  const rescued = collect(pgq, 'job.rescued')
  let runs = 0
  await work(pgq, [handle(queue, () => void runs++)], LEASE)
  victim.kill('SIGKILL')
  await until('it is dead', async () => (await pgq.get(id))?.status === 'dead')
  expect(rescued).toEqual([{ jobs: [{ id, queue: 'spent', status: 'dead' }] }])
  expect(await pgq.get(id)).toMatchObject({
    attempts: 1,
    lockedBy: null,
    error: expect.stringContaining('died or stalled'),
    errors: [{ attempt: 1, name: 'WORKER_LOST' }],
  })
  expect(runs).toBe(0)
})

test('a worker that was frozen for longer than its lease loses its claim, and goes on under a new id', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = defineQueue('frozen')
  const victim = await victimOn(fresh, 'frozen')
  const { workerId } = await victim.said('ready')
  const { id } = await pgq.enqueue(queue, steps({ do: 'sleep', ms: 500 }))
  await victim.said('step.sleep', id)
  victim.kill('SIGSTOP')
  const standIn = await work(pgq, [handle(queue, () => 'by the stand-in')], LEASE)
  await until('the stand-in has done it', async () => (await pgq.get(id))?.status === 'completed')
  await standIn.stop()

  const before = await pgq.get(id)
  victim.kill('SIGCONT')
  const lost = await victim.said('worker.lost')
  expect(lost).toMatchObject({ workerId, newWorkerId: expect.not.stringMatching(workerId ?? '') })
  await victim.said('job.lost', id)
  expect(await pgq.get(id)).toEqual(before)
  expect(before).toMatchObject({ attempts: 2, fence: 3, result: 'by the stand-in' })

  const next = await pgq.enqueue(queue, steps({ do: 'sleep', ms: 1 }))
  await victim.said('job.completed', next.id)
})

test('a worker whose event loop is blocked for longer than its lease is fenced off, not obeyed', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const queue = defineQueue('blocked')
  const victim = await victimOn(fresh, 'blocked')
  const { id } = await pgq.enqueue(queue, steps({ do: 'block', ms: 2_600 }))
  await victim.said('step.block', id)
  await work(pgq, [handle(queue, () => 'by the stand-in')], LEASE)
  await until('the stand-in has done it', async () => (await pgq.get(id))?.status === 'completed')
  await victim.said('job.lost', id)
  await victim.said('worker.lost')
  expect(await pgq.get(id)).toMatchObject({ attempts: 2, result: 'by the stand-in' })
})

test('jobs in the name of a worker that nobody knows, or of none, are adopted by a new leader at once', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const queue = defineQueue('orphans')
  const rows = await sql(
    `INSERT INTO ${schema}.jobs (queue_name, status, locked_by, attempts, fence)
     VALUES ('orphans', 'processing', $1, 1, 1), ('orphans', 'processing', $2, 1, 1), ('orphans', 'processing', NULL, 0, 0)
     RETURNING id`,
    [randomUUID(), randomUUID()],
  )
  const rescued = rescuedIds(pgq)
  const completed = collect(pgq, 'job.completed')
  await work(pgq, [handle(queue, () => {})], LEASE)
  await until('all have run', () => completed.length === 3)
  expect(new Set(rescued())).toEqual(new Set(rows.map(({ id }) => id)))
  expect(rescued()).toHaveLength(3)
  const unknown = await sql(
    `SELECT name, lost_at IS NOT NULL AS lost FROM ${schema}.workers WHERE name = 'unknown'`,
  )
  expect(unknown).toEqual([1, 2, 3].map(() => ({ name: 'unknown', lost: true })))
})

test('a worker whose row was deleted by hand goes on under a new id, and its job is not lost', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = defineQueue('deleted')
  const victim = await victimOn(fresh, 'deleted')
  const { id } = await pgq.enqueue(queue, steps({ do: 'wait', ms: 30_000 }))
  await victim.said('step.wait', id)
  await sql(`DELETE FROM ${schema}.workers`)
  await victim.said('worker.lost')
  await victim.said('job.lost', id) // its signal has aborted
  const next = await pgq.enqueue(queue, steps())
  await victim.said('job.completed', next.id)
  victim.kill('SIGKILL')
  const completed = collect(pgq, 'job.completed')
  await work(pgq, [handle(queue, () => {})], LEASE)
  await until('it has run again', () => completed.length === 1)
  expect(completed[0]?.job).toMatchObject({ id, attempt: 2 })
})

test('when the leader dies another worker takes over', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const victim = await victimOn(fresh, 'led')
  const { workerId } = await victim.said('leader.elected')
  const elected = collect(pgq, 'leader.elected')
  const worker = await work(pgq, [handle(defineQueue('led'), () => {})], LEASE)
  expect(await sql(`SELECT worker_id FROM ${schema}.leader`)).toEqual([{ worker_id: workerId }])
  expect(elected).toEqual([])
  victim.kill('SIGKILL')
  await until('there is a new leader', () => elected.length === 1)
  expect(elected).toEqual([{ workerId: worker.id }])
})

test('a leader that stops hands the lead over without waiting for its term to end', async () => {
  const { pgq } = await freshQueue()
  const elected = collect(pgq, 'leader.elected')
  const handler = handle(defineQueue('handed.over'), () => {})
  const first = await work(pgq, [handler], { lease: '30s' })
  await until('the first leads', () => elected.length === 1)
  await first.stop()
  const second = await work(pgq, [handler], { lease: '30s' })
  await until('the second leads', () => elected.length === 2, 3_000)
  expect(elected[1]).toEqual({ workerId: second.id })
})

test('with default settings the jobs of a killed worker run again within fifteen seconds', async () => {
  const { pgq, jobs, started, completed, killedAt } = byDefault
  await until('all have run again', () => completed.length === jobs.length, 30_000)
  const slowest = Math.max(...started.values()) - killedAt
  console.log(`rescued after ${(slowest / 1_000).toFixed(1)} s with default settings`)
  expect(slowest).toBeLessThan(15_000)
  expect([...started.keys()].toSorted()).toEqual(jobs.map(({ id }) => id).toSorted())
  for (const { id } of jobs) {
    expect(await pgq.get(id)).toMatchObject({
      status: 'completed',
      attempts: 2,
      fence: 3,
      errors: [{ attempt: 1, name: 'WORKER_LOST' }],
    })
  }
})

test('a rescued job of a group goes before those that were enqueued after it', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const queue = defineQueue<number>('in.order', { group: () => 'only' })
  await pgq.setLimits(queue, { perGroup: { concurrency: 1 } })
  for (const n of [1, 2, 3]) await pgq.enqueue(queue, n)
  const victim = await stillWorker(fresh)
  expect(await victim.claim(queue.name)).toMatchObject([{ payload: 1 }])
  await sql(`UPDATE ${schema}.workers SET lost_at = now()`)
  const successor = await stillWorker(fresh)
  await new WorkerStore(tablesIn(schema)).rescue(successor.database, 10)
  expect(await successor.claim(queue.name)).toMatchObject([{ payload: 1 }])
})
