import type { Timeline } from './timeline.ts'
import type { Finding } from './violation.ts'

const ENDED = ['completed', 'dead', 'cancelled']

/** When the faults are over every job comes to its end. */
export function* stuckJobs({ history }: Timeline): Iterable<Finding> {
  for (const { id, status } of history.end.jobs)
    if (!ENDED.includes(status)) yield { job: id, message: `job ${id} is still ${status}` }
}

/** The tables at the end hold what the last change of each job left. */
export function* unexplainedRows({ history, changesOf }: Timeline): Iterable<Finding> {
  for (const { id, status, fence } of history.end.jobs) {
    const last = changesOf.get(id)?.at(-1)?.to
    if (last?.status !== status || last.fence !== fence)
      yield {
        job: id,
        message: `job ${id} is ${status} under fence ${fence}, and the audit has it as ${last?.status} under ${last?.fence}`,
      }
  }
}

/** No process ends that nobody ended, and none has an error that nobody caught. */
export function* diedProcesses({ history }: Timeline): Iterable<Finding> {
  for (const record of history.clients) {
    if (record.op === 'exit' && !record.wanted)
      yield {
        message: `${record.process} ended by itself with ${record.signal ?? `exit code ${record.code}`}`,
      }
    if (record.op === 'crash') yield { message: `${record.p} had an uncaught error: ${record.message}` }
  }
}

/** Who is asked to stop stops in time, with exit code 0 and without being told twice: no handle is left open. */
export function* slowStops({ history }: Timeline): Iterable<Finding> {
  for (const record of history.clients) {
    if (record.op !== 'exit' || record.tookMs === undefined) continue
    if (record.tookMs > history.terms.stopMs || (record.signal === null && record.code !== 0))
      yield {
        message: `${record.process} ended ${Math.round(record.tookMs)} ms after it was asked to, with ${record.signal ?? `exit code ${record.code}`}`,
      }
  }
}

/** No worker runs more handlers of a queue at once than it was told. */
export function* crowds({ history }: Timeline): Iterable<Finding> {
  const { terms } = history
  const running = new Map<string, Set<string>>()
  const queues = new Map<string, string>()
  for (const record of history.clients) {
    if (record.op !== 'start' && record.op !== 'end') continue
    const attempt = `${record.job} ${record.fence}`
    if (record.op === 'start') queues.set(attempt, record.queue)
    const place = `${record.p} ${queues.get(attempt)}`
    const now = running.get(place) ?? new Set()
    running.set(place, now)
    if (record.op === 'end') now.delete(attempt)
    else if (now.add(attempt).size > (terms.chunks[record.queue] ?? terms.concurrency))
      yield { job: record.job, message: `${record.p} runs ${now.size} handlers of ${record.queue} at once` }
  }
}

/** Writers that overlap wait for each other in one order. */
export function* deadlocks({ history }: Timeline): Iterable<Finding> {
  for (let i = 0; i < history.end.deadlocks; i++) yield { message: 'a deadlock was detected' }
}

/** What belongs to another queue in the same database is left alone. */
export function* crossTalk({ history }: Timeline): Iterable<Finding> {
  if (!history.end.bystanderUnchanged) yield { message: 'the jobs of another schema have changed' }
}

/** A process has no more connections than it needs. */
export function* connections({ history }: Timeline): Iterable<Finding> {
  for (const [process, count] of Object.entries(history.end.connections))
    if (count > history.terms.maxConnections) yield { message: `${process} has ${count} connections` }
}
