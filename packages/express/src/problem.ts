import type { Problem } from '@pgq/core/problems'
import type { Response } from 'express'

/** Answers a request with a problem. `retryAfterSeconds` sets `Retry-After`. Nothing keeps it: caches may not store it. */
export function sendProblem(res: Response, problem: Problem, retryAfterSeconds?: number): void {
  if (retryAfterSeconds !== undefined) res.set('Retry-After', String(retryAfterSeconds))
  res.status(problem.status).set('Cache-Control', 'no-store').type('application/problem+json').json(problem)
}
