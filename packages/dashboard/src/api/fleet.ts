import type { ScheduleRecord } from '@pgq/core'
import { json } from '../responses.ts'
import type { Visit } from '../visit.ts'
import type { WireSchedule, WireWorker } from '../wire.ts'

/** The workers, on whatever machine. */
export async function getWorkers({ pgq }: Visit): Promise<Response> {
  const workers = await pgq.workers()
  return json(
    workers.map((worker): WireWorker => ({
      id: worker.id,
      name: worker.name,
      hostname: worker.hostname,
      pid: worker.pid,
      queues: worker.queues,
      concurrency: worker.concurrency,
      state: worker.state,
      startedAt: worker.startedAt.getTime(),
      heartbeatAt: worker.heartbeatAt.getTime(),
      running: worker.running.map((run) => ({
        queue: run.queue,
        jobs: run.jobs,
        since: run.since.getTime(),
      })),
    })),
  )
}

/** The first thousand schedules, by name. */
export async function getSchedules({ pgq }: Visit): Promise<Response> {
  return json((await pgq.schedules.list({ limit: 1_000 })).map(wireSchedule))
}

const wireSchedule = (schedule: ScheduleRecord): WireSchedule => ({
  name: schedule.name,
  queue: schedule.queue,
  rule: ruleText(schedule.rule),
  nextAt: schedule.nextAt?.getTime() ?? null,
  lastAt: schedule.lastAt?.getTime() ?? null,
  lastJobId: schedule.lastJobId,
  pausedAt: schedule.pausedAt?.getTime() ?? null,
  finishedAt: schedule.finishedAt?.getTime() ?? null,
  retiredAt: schedule.retiredAt?.getTime() ?? null,
  declared: schedule.declared,
  error: schedule.error,
})

function ruleText(rule: ScheduleRecord['rule']): string {
  if (rule.cron !== undefined) return rule.timezone === 'UTC' ? rule.cron : `${rule.cron} (${rule.timezone})`
  if (rule.everyMs !== undefined) return `every ${spanText(rule.everyMs)}`
  return 'once'
}

function spanText(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const
  const [unit, size] = units.find(([, length]) => ms % length === 0) ?? (['ms', 1] as const)
  return `${ms / size} ${unit}`
}
