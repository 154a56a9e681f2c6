import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { freshQueue } from './support/fresh-queue.ts'
import { startWorkerProcess, type WorkerProcess } from './support/worker-process.ts'

/** How long processes are killed, in seconds. */
const SECONDS = Number(process.env['PGQ_SCHEDULE_SECONDS'] ?? 15)
const PROCESSES = 10
const KILL_EVERY_MS = 700

test(
  `exactly one job for each tick while ten schedulers are killed at random for ${SECONDS} s`,
  { timeout: 120_000 + SECONDS * 3_000 },
  async () => {
    const { pgq, sql, schema, databaseUrl } = await freshQueue()
    const start = (): Promise<WorkerProcess> =>
      startWorkerProcess({
        url: databaseUrl,
        schema,
        queues: [{ name: 'ticking' }],
        schedules: [
          { queue: 'ticking', rule: { cron: '* * * * * *', timezone: 'Europe/Berlin' }, name: 'cron' },
          { queue: 'ticking', rule: { every: '1s' }, name: 'interval' },
        ],
        options: { lease: '1s' },
      })
    const workers: Promise<WorkerProcess>[] = []
    for (let n = 0; n < PROCESSES; n++) {
      const started = start()
      await started
      workers.push(started)
    }
    let [kills, leaders] = [0, 0]
    for (
      const end = performance.now() + SECONDS * 1_000;
      performance.now() < end;
      await sleep(KILL_EVERY_MS)
    ) {
      const ready = await Promise.all(workers)
      // Every other victim is the one that leads: the others do nothing for schedules but wait for their turn.
      const [leader] = await sql(`SELECT worker_id FROM ${schema}.leader`)
      const leads = ready.findIndex(({ lines }) =>
        lines.some((line) => line.type === 'leader.elected' && line.workerId === leader?.worker_id),
      )
      const victim = kills % 2 === 0 && leads >= 0 ? leads : Math.floor(Math.random() * PROCESSES)
      if (victim === leads) leaders++
      ready[victim]?.kill('SIGKILL')
      kills++
      workers[victim] = start()
    }
    const survivors = await Promise.all(workers)
    await sleep(3_000) // the ticks of a leader that has just died come within a term
    for (const worker of survivors) worker.kill('SIGTERM')
    const elected = new Set(
      survivors.flatMap(({ lines }) =>
        lines.filter((line) => line.type === 'leader.elected').map((line) => line.workerId),
      ),
    )
    for (const name of ['cron', 'interval']) {
      const rows = await sql<{ tick: string; jobs: number }>(
        `SELECT metadata #>> '{schedule,tick}' AS tick, count(*)::integer AS jobs FROM ${schema}.jobs
       WHERE metadata #>> '{schedule,name}' = $1 GROUP BY 1 ORDER BY 1`,
        [name],
      )
      expect(
        rows.filter(({ jobs }) => jobs !== 1),
        `${name}: ticks with more than one job`,
      ).toEqual([])
      const ticks = rows.map(({ tick }) => Date.parse(tick))
      const [first = 0, last = 0] = [ticks[0], ticks.at(-1)]
      const missing = Array.from({ length: (last - first) / 1_000 + 1 }, (_, n) => first + n * 1_000).filter(
        (tick) => !ticks.includes(tick),
      )
      expect(missing, `${name}: ticks without a job`).toEqual([])
      expect(ticks.length).toBeGreaterThan(SECONDS)
      console.log(
        `${name}: ${ticks.length} ticks, ${kills} kills, ${leaders} of them the leader's, ${elected.size} living have led`,
      )
    }
    expect(leaders).toBeGreaterThan(2)
    expect(await pgq.schedules.list()).toMatchObject([
      { name: 'cron', retiredAt: null },
      { name: 'interval', retiredAt: null },
    ])
  },
)
