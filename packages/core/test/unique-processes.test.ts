import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { until } from '@pgq/test-support'
import { expect, test, vi } from 'vitest'
import { defineQueue, type UniqueOptions } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { startWorkerProcess } from './support/worker-process.ts'

vi.setConfig({ testTimeout: 90_000 })
const { pgq, sql, schema, databaseUrl } = await freshQueue()

/** What the database saw of each key: jobs that came (to wait, to run) and went, in an order that all would agree to. */
await sql(`
  CREATE TABLE ${schema}.audit (seq bigserial, queue_name text, unique_key text, job_id uuid, place text, change integer, at timestamptz DEFAULT clock_timestamp());
  CREATE FUNCTION ${schema}.audit_job() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'INSERT' THEN
      INSERT INTO ${schema}.audit (queue_name, unique_key, job_id, place, change) VALUES (NEW.queue_name, NEW.unique_key, NEW.id, TG_TABLE_NAME, 1);
    ELSE
      INSERT INTO ${schema}.audit (queue_name, unique_key, job_id, place, change) VALUES (OLD.queue_name, OLD.unique_key, OLD.id, TG_TABLE_NAME, -1);
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER audit_job AFTER INSERT OR DELETE ON ${schema}.jobs_processing FOR EACH ROW EXECUTE FUNCTION ${schema}.audit_job();`)

/** An enqueue that has committed. */
interface Committed {
  readonly id: string
  readonly deduplicated: boolean
  readonly replaced?: true
  readonly doc: number
  readonly at: string
}

const fixture = fileURLToPath(new URL('fixtures/enqueuer.mjs', import.meta.url))
const KEYS = 4
const CALLS = 120

async function enqueuer(queue: string, unique: UniqueOptions): Promise<Committed[]> {
  const argument = JSON.stringify({ url: databaseUrl, schema, queue, unique, keys: KEYS, calls: CALLS })
  const { stdout } = await promisify(execFile)(process.execPath, [fixture, argument])
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Committed)
}

/** The most jobs of one key that ran at the same time. */
async function mostAtOnce(queue: string): Promise<number> {
  const [row] = await sql(
    `SELECT max(running)::int AS most FROM (
       SELECT sum(change) OVER (PARTITION BY unique_key ORDER BY seq) AS running FROM ${schema}.audit WHERE queue_name = $1) AS sums`,
    [queue],
  )
  return row?.most as number
}

/** Answers whose job never began after they were given: what they brought may not have been seen by anybody. */
async function unheard(queue: string, answers: readonly Committed[]): Promise<Committed[]> {
  const begins = await sql<{ job_id: string; at: Date }>(
    `SELECT job_id, max(at) AS at FROM ${schema}.audit WHERE queue_name = $1 AND change = 1 GROUP BY job_id`,
    [queue],
  )
  const last = new Map(begins.map(({ job_id, at }) => [job_id, at.getTime()]))
  return answers.filter(({ id, at }) => (last.get(id) ?? 0) < Math.floor(Date.parse(at)))
}

test.each<[string, UniqueOptions]>([
  ['serial', { fields: ['doc'], serial: true }],
  ['replace', { fields: ['doc'], onConflict: 'replace' }],
  ['debounce', { fields: ['doc'], onConflict: { debounce: '20ms', maxWait: '100ms' } }],
])(
  'enqueued, run and killed by several processes, jobs of a key never overlap, and none is lost: %s',
  async (name, unique) => {
    const start = () =>
      startWorkerProcess({
        url: databaseUrl,
        schema,
        queues: [{ name, concurrency: 4 }],
        options: { lease: '1s', pollInterval: '100ms' },
      })
    const [victim] = await Promise.all([start(), start(), start()])
    const enqueuers = Promise.all([1, 2, 3].map(() => enqueuer(name, unique)))
    await victim?.said('step.sleep')
    victim?.kill('SIGKILL')
    await start()
    const answers = (await enqueuers).flat()
    const queue = defineQueue(name, { unique })
    const last: string[] = []
    for (let doc = 0; doc < KEYS; doc++)
      last.push((await pgq.enqueue(queue, { doc, last: true, steps: [] })).id)

    await until(
      'all have run',
      async () =>
        (
          await sql(`SELECT FROM ${schema}.jobs WHERE queue_name = $1 AND status <> 'completed' LIMIT 1`, [
            name,
          ])
        ).length === 0,
      40_000,
    )
    expect(await mostAtOnce(name)).toBe(1)
    expect(await unheard(name, answers)).toEqual([])
    expect(answers.some(({ deduplicated }) => deduplicated)).toBe(true)
    expect(answers.some(({ deduplicated }) => !deduplicated)).toBe(true)
    // Whatever the order of the others, what came last to each key is what ran last.
    const ends = await sql<{ id: string; payload: { last?: true } }>(
      `SELECT DISTINCT ON (unique_key) id, payload FROM ${schema}.jobs WHERE queue_name = $1 ORDER BY unique_key, started_at DESC`,
      [name],
    )
    expect(ends.map(({ id }) => id).toSorted()).toEqual(last.toSorted())
    // With `serial` alone the payload of the one that waits stays.
    expect(name === 'serial' || ends.every(({ payload }) => payload.last)).toBe(true)
    expect(await sql(`SELECT * FROM ${schema}.unique_keys WHERE queue_name = $1`, [name])).toEqual([])
    const replaced = answers.filter((answer) => answer.replaced).length
    expect(replaced > 0).toBe(name !== 'serial')
    console.log(
      `${name}: ${answers.length} enqueues, ${answers.filter(({ deduplicated }) => deduplicated).length} deduplicated, ${replaced} of them replaced a job`,
    )
  },
)
