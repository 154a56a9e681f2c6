import { type Duration, durationMs, hasEnded, isPgqError, type JobRecord, type Pgq } from '@pgq/core'
import { functionOption, integerOption, knownOptions } from '@pgq/core/options'
import { type Problem, problemOf, problemType } from '@pgq/core/problems'
import { type Request, type RequestHandler, type Response, Router } from 'express'
import { assertPgq } from './assert-pgq.ts'
import { JobEvents } from './job-events.ts'
import { jobView } from './job-view.ts'
import { retryAfterSeconds } from './retry-after.ts'
import { sendProblem } from './problem.ts'

/** Options of `jobStatusRouter`. */
export interface JobStatusOptions {
  /**
   * Whether the caller may see the job, and cancel it: `req.method` is GET, HEAD or DELETE. Anything but true is answered like a job that
   * doesn't exist. Without this function every request is refused. An error goes to the error middleware.
   */
  readonly authorize?: (req: Request, job: JobRecord) => boolean | Promise<boolean>
  /** What clients see of a job: anything that JSON can hold, or a promise of it. @default jobView: status, progress, times, and the result */
  readonly expose?: (job: JobRecord, req: Request) => unknown
  /** When to look again at a job that has not ended, told in whole seconds, 1 s at least. @default 2s */
  readonly retryAfter?: Duration
  /** How many streams of progress one process holds open, 0 to 1,000,000. @default 1000 */
  readonly maxStreams?: number
  /** How often a stream that has nothing to say says so, 1 s to 24 d. @default 15s */
  readonly heartbeat?: Duration
  /** The longest time until a stream notices a change, 20 ms to 1 m. All streams of a process share one statement for it. @default 250ms */
  readonly interval?: Duration
}

const KNOWN = ['authorize', 'expose', 'retryAfter', 'maxStreams', 'heartbeat', 'interval']

/**
 * Routes for whoever waits for a job: `GET /:id` how it stands, `DELETE /:id` cancel it, `GET /:id/events` follow it by
 * server-sent events.
 * @throws PgqError INVALID_OPTION
 */
export function jobStatusRouter(pgq: Pgq, options: JobStatusOptions = {}): Router {
  assertPgq('jobStatusRouter', pgq)
  knownOptions('jobStatusRouter', options, KNOWN)
  const { authorize, expose = jobView, retryAfter = '2s', maxStreams = 1_000 } = options
  const routes = new JobRoutes(pgq, {
    authorize: authorize && functionOption('authorize', authorize),
    expose: functionOption('expose', expose),
    retryAfterSeconds: retryAfterSeconds(retryAfter),
  })
  const events = new JobEvents(pgq, {
    expose,
    maxStreams: integerOption('maxStreams', maxStreams, 0, 1_000_000),
    heartbeatMs: durationMs('heartbeat', options.heartbeat ?? '15s', { min: 1_000, max: 2 ** 31 - 1 }),
    intervalMs: durationMs('interval', options.interval ?? 250, { min: 20, max: 60_000 }),
    retryMs: retryAfterSeconds(retryAfter) * 1_000,
  })
  const router = Router({ mergeParams: true })
  router
    .route('/:id')
    .get((req, res) => routes.show(req, res))
    .delete((req, res) => routes.cancel(req, res))
    .all(only('GET, HEAD, DELETE, OPTIONS'))
  router
    .route('/:id/events')
    .get((req, res) => routes.withJob(req, res, (job) => events.answer(req, res, job)))
    .all(only('GET, HEAD, OPTIONS'))
  return router
}

interface JobRoutesSettings {
  readonly authorize: JobStatusOptions['authorize']
  readonly expose: (job: JobRecord, req: Request) => unknown
  readonly retryAfterSeconds: number
}

class JobRoutes {
  readonly #pgq: Pgq
  readonly #settings: JobRoutesSettings

  constructor(pgq: Pgq, settings: JobRoutesSettings) {
    this.#pgq = pgq
    this.#settings = settings
  }

  /** How the job stands. A client that polls and has seen this is answered with 304. */
  show(req: Request, res: Response): Promise<void> {
    return this.withJob(req, res, async (job) => {
      const view = await this.#settings.expose(job, req)
      if (!hasEnded(job.status)) res.set('Retry-After', String(this.#settings.retryAfterSeconds))
      // What is shown depends on who asks, and on when.
      res.set('Cache-Control', 'private, no-cache')
      res.json(view ?? null)
    })
  }

  /** Cancels the job: 200 when it had not begun or waits for its next attempt, 202 when its handler was running and is told to stop. */
  cancel(req: Request, res: Response): Promise<void> {
    return this.withJob(req, res, async ({ id }) => {
      // Again: it may have begun while `authorize` took its time.
      const before = await this.#pgq.get(id)
      const isCancelled = (await this.#pgq.cancel(id)) > 0
      const after = await this.#pgq.get(id)
      if (before === null || after === null) return sendProblem(res, NOT_FOUND)
      const view = await this.#settings.expose(after, req)
      if (!isCancelled) return sendProblem(res, { ...HAS_ENDED, job: view })
      res.status(wasRunning(before, after) ? 202 : 200).set('Cache-Control', 'no-store')
      res.json(view ?? null)
    })
  }

  /** Finds the job that is asked for and does something with it, or answers why not; a foreign job is one that doesn't exist. */
  async withJob(
    req: Request,
    res: Response,
    answer: (job: JobRecord) => void | Promise<void>,
  ): Promise<void> {
    const { authorize } = this.#settings
    if (!authorize) return sendProblem(res, CLOSED_TO_ALL)
    const job = await this.#pgq.get(String(req.params['id'])).catch(toProblem)
    if (job !== null && 'title' in job) return sendProblem(res, job)
    // In JavaScript it may return anything, and a user's id is not a yes.
    const allowed: unknown = job !== null && (await authorize(req, job))
    if (job === null || allowed !== true) return sendProblem(res, NOT_FOUND)
    await answer(job)
  }
}

/** A fence rises with each claim, and once when the job is cancelled: by more, if a handler began between the two looks. */
function wasRunning(before: JobRecord, after: JobRecord): boolean {
  return before.status === 'processing' || after.fence > before.fence + 1
}

/** What is no id is answered here, whether or not the application has `problems()`. */
function toProblem(error: unknown): Problem {
  if (isPgqError(error, 'INVALID_ID')) return problemOf(error).problem
  throw error
}

/** Answers the methods that a route doesn't have. */
function only(allow: string): RequestHandler {
  return (req, res) => {
    res.set('Allow', allow)
    if (req.method === 'OPTIONS') res.status(204).end()
    else sendProblem(res, METHOD_NOT_ALLOWED)
  }
}

const CLOSED_TO_ALL: Problem = {
  type: problemType('not-authorized'),
  status: 403,
  title: 'Nobody may see jobs here',
  detail:
    'The server has not said who may: jobStatusRouter(pgq, { authorize }) was given no authorize function.',
}

const NOT_FOUND: Problem = {
  type: problemType('job-not-found'),
  status: 404,
  title: 'There is no such job',
  detail: 'There is none with this id, or not for you. Jobs that have ended are kept for some days only.',
}

const HAS_ENDED: Problem = {
  type: problemType('job-has-ended'),
  status: 409,
  title: 'The job has already ended',
  detail: 'It cannot be cancelled any more; "job" says how it ended.',
}

const METHOD_NOT_ALLOWED: Problem = {
  type: problemType('method-not-allowed'),
  status: 405,
  title: 'This method is not allowed here',
  detail: 'The Allow header names those that are.',
}
