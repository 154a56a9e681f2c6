import { json } from '../responses.ts'
import type { Visit } from '../visit.ts'
import type { WireDone } from '../wire.ts'
import { act } from './act.ts'

const DONE: WireDone = { jobs: 0 }

/** Pauses or resumes a queue. */
export async function postQueue(visit: Visit): Promise<Response> {
  const [name = '', verb] = visit.parts
  const isPause = verb === 'pause'
  return act(visit, isPause ? 'queue.pause' : 'queue.resume', { name }, async () => {
    if (isPause) await visit.pgq.pause(name, reasonBy(visit.grant.actor))
    else await visit.pgq.resume(name)
    visit.feed.look()
    return { response: json(DONE) }
  })
}

const reasonBy = (actor: string | undefined): { reason?: string } =>
  actor ? { reason: `paused by ${actor.slice(0, 200)}` } : {}

/** Runs, pauses or resumes a schedule. */
export async function postSchedule(visit: Visit): Promise<Response> {
  const [name = '', verb] = visit.parts
  const { schedules } = visit.pgq
  if (verb === 'run') {
    return act(visit, 'schedule.run', { name }, async () => {
      const { id } = await schedules.runNow(name)
      return { jobs: 1, response: json({ jobs: 1, jobId: id } satisfies WireDone) }
    })
  }
  const isPause = verb === 'pause'
  return act(visit, isPause ? 'schedule.pause' : 'schedule.resume', { name }, async () => {
    await (isPause ? schedules.pause(name) : schedules.resume(name))
    return { response: json(DONE) }
  })
}
