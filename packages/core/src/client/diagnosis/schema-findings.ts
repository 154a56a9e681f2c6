import { type PgqError } from '../../errors.ts'
import type { DaysHealth, WorkerHealth } from '../../store/health-reader.ts'
import type { QueueSurvey } from '../../store/queue-reader.ts'
import { counted, type Finding, inWords, named, ok, orElse } from './finding.ts'

/** A queue whose oldest due job has waited longer is behind, in ms. */
const BEHIND_MS = 60_000

/** What is wrong with the version of the schema. */
export const schemaFinding = (error: PgqError): Finding => ({
  check: 'schema',
  severity: 'problem',
  // The error says the way out as well, for which a finding has a place of its own.
  message: error.message.split(': run ')[0] ?? error.message,
  fix:
    error.code === 'SCHEMA_TOO_NEW' || error.code === 'MIGRATION_CHANGED'
      ? 'use the version of @pgq/core that has migrated it, or a newer one'
      : error.code === 'SCHEMA_OCCUPIED'
        ? 'choose another name with the schema option'
        : 'run pgq.migrate() or npx pgq migrate, or check the connection and the schema option',
})

/** Whether the history has a partition for what completes today and in the next days. */
export function partitionFindings(
  { missing, ahead, strayJobs }: DaysHealth,
  today: string,
): readonly Finding[] {
  const findings: Finding[] = []
  if (missing.length > 0)
    findings.push({
      check: 'partitions',
      severity: missing.includes(today) || ahead < 1 ? 'warning' : 'note',
      message: `there is no partition for ${missing.join(', ')}: jobs that complete then fall into jobs_completed_default, and their end is a slow DELETE`,
      fix: 'let a worker run that does maintenance and owns the tables, or run pgq.migrate() as their owner',
    })
  if (strayJobs > 0)
    findings.push({
      check: 'partitions',
      severity: 'note',
      message: `${counted(strayJobs, 'completed job')} or more in jobs_completed_default: some day had no partition in time, and gets none while they are there`,
      fix: 'nothing, if the days to come are there: they are deleted when their time is over',
    })
  return orElse(findings, ok('partitions', `there for today and ${counted(ahead, 'day')} to come`))
}

/** Who has died, and whether somebody does the maintenance. */
export function workerFindings(workers: readonly WorkerHealth[], hasLeader: boolean): readonly Finding[] {
  const alive = workers.filter(({ state }) => state === 'alive')
  const findings = workers.flatMap((worker) => unwell(worker, alive.length > 0))
  if (alive.length > 0 && !hasLeader)
    findings.push({
      check: 'workers',
      severity: 'warning',
      message: 'no worker does the maintenance: nobody rescues jobs, makes partitions or runs schedules',
      fix: 'leave maintenance: true, the default, on at least one worker; look for its errors in the events',
    })
  const deaf = alive.filter(({ isListening }) => !isListening)
  if (deaf.length > 0)
    findings.push({
      check: 'workers',
      severity: 'note',
      message: `${counted(deaf.length, 'worker')} of ${alive.length} ${deaf.length === 1 ? 'hears' : 'hear'} no notifications: ${named(deaf.map(({ name }) => name ?? ''))}`,
      fix: 'a connection that leads directly to PostgreSQL, and listen: true, which is the default',
    })
  if (alive.length === 0)
    findings.push({
      check: 'workers',
      severity: 'note',
      message: 'no worker is alive',
      fix: 'start one: pgq work <module>',
    })
  return orElse(findings, ok('workers', `${counted(alive.length, 'worker')} alive, none late or lost`))
}

function unwell({ name, id, state, lateMs, jobs }: WorkerHealth, anyAlive: boolean): Finding[] {
  const who = `the worker ${name === null ? id : JSON.stringify(name)}`
  const held = jobs > 0 ? `, with ${counted(jobs, 'job')} in its name` : ''
  const rescue = anyAlive
    ? 'nothing: a live worker gives its jobs back within seconds; if it still runs, look what blocks its event loop or its way to the database'
    : 'start a worker: it gives the jobs back to their queues'
  switch (state) {
    case 'alive':
      return []
    case 'late':
      return [
        {
          check: 'workers',
          severity: jobs > 0 && !anyAlive ? 'problem' : 'warning',
          message: `${who} has not renewed its lease, which ran out ${inWords(lateMs ?? 0)} ago${held}`,
          fix: rescue,
        },
      ]
    case 'lost':
      return jobs === 0
        ? []
        : [
            {
              check: 'workers',
              severity: anyAlive ? 'warning' : 'problem',
              message: `${who} is lost${held}`,
              fix: rescue,
            },
          ]
    case 'unknown':
      return [
        {
          check: 'workers',
          severity: anyAlive ? 'note' : 'problem',
          message: `nobody knows the worker ${id}${held}`,
          fix: rescue,
        },
      ]
  }
}

/** Who waits for a worker that there is not, or for longer than one likes. */
export function queueFindings(queues: readonly QueueSurvey[]): readonly Finding[] {
  const findings: Finding[] = []
  const waiting = queues.filter(({ oldestDueMs }) => oldestDueMs !== null)
  for (const { queue: name, pausedAt, oldestDueMs, workers } of waiting) {
    const age = inWords(oldestDueMs ?? 0)
    const queue = `the queue ${JSON.stringify(name)}`
    if (pausedAt !== null)
      findings.push({
        check: 'queues',
        severity: 'note',
        message: `${queue} is paused since ${pausedAt.toISOString()}, and its oldest job has waited for ${age}`,
        fix: `pgq.resume(${JSON.stringify(name)}) when the reason is gone`,
      })
    else if (workers === 0)
      findings.push({
        check: 'queues',
        severity: 'problem',
        message: `${queue} has due jobs, the oldest for ${age}, and no live worker has a handler for it`,
        fix: 'start a worker with one; or the name is a slip of the pen of whoever enqueued',
      })
    else if ((oldestDueMs ?? 0) > BEHIND_MS)
      findings.push({
        check: 'queues',
        severity: 'warning',
        message: `${queue} is behind: its oldest due job has waited for ${age}`,
        fix: 'more workers, a higher concurrency, or faster handlers; pgq.explain(id) says why one job waits',
      })
  }
  return orElse(findings, ok('queues', `${counted(queues.length, 'queue')}, none behind`))
}
