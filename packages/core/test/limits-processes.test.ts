import { until } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { defineQueue } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { startWorkerProcess, type WorkerProcess } from './support/worker-process.ts'

const { pgq, sql, schema, databaseUrl } = await freshQueue()

/**
 * What the database saw: when each claim began and when it ended, in whatever way. An end is written down before it is
 * committed, and a begin before it is, so claims that overlap here were there at the same time for everybody.
 */
await sql(`
  CREATE TABLE ${schema}.claims_audit (seq bigserial, job_id uuid, queue_name text, group_key text, change integer, attempt integer);
  CREATE FUNCTION ${schema}.audit_claim() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'INSERT' THEN
      INSERT INTO ${schema}.claims_audit (job_id, queue_name, group_key, change, attempt) VALUES (NEW.id, NEW.queue_name, NEW.group_key, 1, NEW.attempts);
    ELSE
      INSERT INTO ${schema}.claims_audit (job_id, queue_name, group_key, change, attempt) VALUES (OLD.id, OLD.queue_name, OLD.group_key, -1, OLD.attempts);
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER audit_claims AFTER INSERT OR DELETE ON ${schema}.jobs_processing FOR EACH ROW EXECUTE FUNCTION ${schema}.audit_claim();`)

const GROUPS = 5
const JOBS = 40

test('limits hold over several processes while some of them are killed, and each group is served in its order', async () => {
  const queue = defineQueue<object>('strict')
  await pgq.setLimits(queue, { concurrency: 3, perGroup: { concurrency: 1 } })
  const start = (): Promise<WorkerProcess> =>
    startWorkerProcess({
      url: databaseUrl,
      schema,
      queues: [{ name: queue.name, concurrency: 8 }],
      options: { lease: '1s', pollInterval: '200ms' },
    })
  const processes = await Promise.all([start(), start(), start()])
  const ids: string[][] = Array.from({ length: GROUPS }, () => [])
  for (let n = 0; n < JOBS; n++)
    for (let group = 0; group < GROUPS; group++) {
      const payload = { steps: [{ do: 'sleep', ms: (n * 7) % 12 }] }
      ids[group]?.push((await pgq.enqueue(queue, payload, { group: `g${group}`, maxAttempts: 10 })).id)
    }
  for (const victim of processes.slice(0, 2)) {
    await victim.said('step.sleep')
    const before = await completed()
    await until(
      'some more are done',
      async () => (await completed()) >= Math.min(before + 10, GROUPS * JOBS - 20),
    )
    victim.kill('SIGKILL')
    await victim.exited
    await start()
  }
  await until('all are done', async () => (await completed()) === GROUPS * JOBS, 40_000)

  const audit = await sql(
    `SELECT job_id, group_key, change FROM ${schema}.claims_audit WHERE queue_name = 'strict' ORDER BY seq`,
  )
  const running = new Map<string, number>()
  let all = 0
  let most = 0
  let mostInGroup = 0
  const firstClaims = new Map<string, string[]>()
  const seen = new Set<string>()
  for (const { job_id: id, group_key: group, change } of audit) {
    all += change
    running.set(group, (running.get(group) ?? 0) + change)
    most = Math.max(most, all)
    mostInGroup = Math.max(mostInGroup, running.get(group) ?? 0)
    if (change === 1 && !seen.has(id)) firstClaims.set(group, [...(firstClaims.get(group) ?? []), id])
    seen.add(id)
  }
  expect({ most, mostInGroup, left: all }).toEqual({ most: 3, mostInGroup: 1, left: 0 })
  for (let group = 0; group < GROUPS; group++) expect(firstClaims.get(`g${group}`)).toEqual(ids[group])
})

test('a rate holds over several processes', async () => {
  const queue = defineQueue<object>('paced')
  await pgq.setLimits(queue, { rate: { limit: 50, per: '1s', burst: 3 } })
  const queues = [{ name: queue.name, concurrency: 8 }]
  await Promise.all([1, 2, 3].map(() => startWorkerProcess({ url: databaseUrl, schema, queues })))
  await pgq.enqueueMany(
    queue,
    Array.from({ length: 100 }, () => ({})),
  )
  const done = `SELECT count(*)::int AS n FROM ${schema}.jobs_completed WHERE queue_name = 'paced'`
  await until('all are done', async () => (await sql(done))[0].n === 100, 30_000)
  const [worst] = await sql(`
    SELECT max(later.nth - earlier.nth + 1 - (3 + 50 * (extract(epoch FROM later.started_at - earlier.started_at) + 0.00001))) AS excess,
           extract(epoch FROM max(later.started_at) - min(earlier.started_at)) AS took
    FROM (SELECT started_at, row_number() OVER (ORDER BY started_at) AS nth FROM ${schema}.jobs_completed WHERE queue_name = 'paced') AS earlier
    JOIN (SELECT started_at, row_number() OVER (ORDER BY started_at) AS nth FROM ${schema}.jobs_completed WHERE queue_name = 'paced') AS later
      ON later.nth >= earlier.nth`)
  expect(Number(worst.excess)).toBeLessThanOrEqual(0)
  // 97 jobs after the first burst, 20 ms apart.
  expect(Number(worst.took)).toBeLessThan(1.94 * 1.5)
})

const completed = async (): Promise<number> =>
  (await sql(`SELECT count(*)::int AS n FROM ${schema}.jobs_completed WHERE queue_name = 'strict'`))[0].n
