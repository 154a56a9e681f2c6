import { getDead } from './api/dead.ts'
import { getSchedules, getWorkers } from './api/fleet.ts'
import { postJobs } from './api/job-actions.ts'
import { getJob, getJobCount, getJobs } from './api/jobs.ts'
import { getLive } from './api/live.ts'
import { postQueue, postSchedule } from './api/queue-actions.ts'
import { getHistory, getQueues } from './api/queues.ts'
import type { Visit } from './visit.ts'

/** What answers a path, below `api/`. */
export interface Route {
  readonly method: 'GET' | 'POST'
  /** Its groups become the parts of the visit. */
  readonly path: RegExp
  readonly answer: (visit: Visit) => Response | Promise<Response>
}

/** All of them; who may act is asked where something is done. */
export const ROUTES: readonly Route[] = [
  { method: 'GET', path: /^api\/queues$/, answer: getQueues },
  { method: 'GET', path: /^api\/history$/, answer: getHistory },
  { method: 'GET', path: /^api\/jobs$/, answer: getJobs },
  { method: 'GET', path: /^api\/jobs\/count$/, answer: getJobCount },
  { method: 'GET', path: /^api\/jobs\/([^/]+)$/, answer: getJob },
  { method: 'GET', path: /^api\/workers$/, answer: getWorkers },
  { method: 'GET', path: /^api\/schedules$/, answer: getSchedules },
  { method: 'GET', path: /^api\/dead$/, answer: getDead },
  { method: 'GET', path: /^api\/live$/, answer: getLive },
  { method: 'POST', path: /^api\/jobs$/, answer: postJobs },
  { method: 'POST', path: /^api\/queues\/(pause|resume)$/, answer: postQueue },
  { method: 'POST', path: /^api\/schedules\/(run|pause|resume)$/, answer: postSchedule },
]

/** The pages of the interface. Names of queues and schedules are never part of a path: they may be anything, `..` as well. */
export const PAGES = /^(?:|queue|jobs|jobs\/[^/]+|workers|schedules|dead)$/
