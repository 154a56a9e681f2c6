import type { Pgq } from '@pgq/core'
import type { ClientLog } from '../history/client-log.ts'
import type { Told } from '../history/records.ts'

/** Writes down what a worker is told of its attempts and of itself. */
export function recordEvents(events: Pgq['events'], log: ClientLog): void {
  for (const outcome of [
    'completed',
    'failed',
    'dead',
    'cancelled',
    'snoozed',
    'released',
    'lost',
  ] as const satisfies Told[])
    events.on(`job.${outcome}`, ({ job }: { job: { id: string; fence: number } }) =>
      log.write({ op: 'told', job: job.id, fence: job.fence, outcome }),
    )
  events.on('worker.started', ({ workerId }) => log.write({ op: 'worker', event: 'started', workerId }))
  events.on('worker.lost', ({ workerId }) => log.write({ op: 'worker', event: 'lost', workerId }))
  events.on('worker.paused', ({ workerId }) => log.write({ op: 'worker', event: 'paused', workerId }))
  events.on('worker.stopped', ({ workerId }) => log.write({ op: 'worker', event: 'stopped', workerId }))
  events.on('error', ({ where, error }) => log.write({ op: 'trouble', where, message: String(error) }))
}
