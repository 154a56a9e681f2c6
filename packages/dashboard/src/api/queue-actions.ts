import { BadRequest, json } from '../responses.ts'
import type { Visit } from '../visit.ts'
import type { WireDone } from '../wire.ts'
import { act } from './act.ts'

const DONE: WireDone = { jobs: 0 }

/** Pauses or resumes a queue. */
export function postQueue(visit: Visit): Promise<Response> {
  const isPause = visit.parts[0] === 'pause'
  return act(visit, (body) => {
    const name = nameIn(body)
    return {
      action: isPause ? 'queue.pause' : 'queue.resume',
      target: { name },
      work: async () => {
        if (isPause) await visit.pgq.pause(name, reasonBy(visit.grant.actor))
        else await visit.pgq.resume(name)
        visit.feed.look()
        return { response: json(DONE) }
      },
    }
  })
}

const reasonBy = (actor: string | undefined): { reason?: string } =>
  actor ? { reason: `paused by ${actor.slice(0, 200).toWellFormed()}` } : {}

const SCHEDULE_ACTIONS = { run: 'schedule.run', pause: 'schedule.pause', resume: 'schedule.resume' } as const

/** Runs, pauses or resumes a schedule. */
export function postSchedule(visit: Visit): Promise<Response> {
  const verb = visit.parts[0] as keyof typeof SCHEDULE_ACTIONS
  const { schedules } = visit.pgq
  return act(visit, (body) => {
    const name = nameIn(body)
    return {
      action: SCHEDULE_ACTIONS[verb],
      target: { name },
      work: async () => {
        if (verb !== 'run') {
          await schedules[verb](name)
          return { response: json(DONE) }
        }
        const { id } = await schedules.runNow(name)
        return { jobs: 1, response: json({ jobs: 1, jobId: id } satisfies WireDone) }
      },
    }
  })
}

function nameIn({ name }: Readonly<Record<string, unknown>>): string {
  if (typeof name === 'string' && name !== '') return name
  throw new BadRequest('the request must say the name')
}
