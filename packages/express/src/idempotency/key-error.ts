import { type Problem, problemType } from '@pgq/core/problems'

/** A request was refused for its `Idempotency-Key`, or for a body that a key can't be bound to. `problems()` answers with 400 or 415; nothing was done. */
export class IdempotencyKeyError extends Error {
  override readonly name = 'IdempotencyKeyError'
  /** What the client is told. */
  readonly problem: Problem

  constructor(kind: keyof typeof PROBLEMS) {
    const problem = PROBLEMS[kind]
    super(`${problem.title}: ${problem.detail}`)
    this.problem = problem
  }
}

/** Tells the error by its shape, so that one of another copy of the package is known too. */
export function isKeyError(error: unknown): error is IdempotencyKeyError {
  return error instanceof Error && error.name === 'IdempotencyKeyError' && 'problem' in error
}

const PROBLEMS = {
  missing: {
    type: problemType('idempotency-key-missing'),
    status: 400,
    title: 'The Idempotency-Key header is missing',
    detail: 'Send a new key with each new request, such as a UUID, and the same one when you send it again.',
  },
  malformed: {
    type: problemType('idempotency-key-malformed'),
    status: 400,
    title: 'The Idempotency-Key header is malformed',
    detail: 'It must be one string of 1 to 255 printable ASCII characters, such as "8e03978e-40d5-43dd".',
  },
  tooDeep: {
    type: problemType('unreadable-body'),
    status: 400,
    title: 'The body is nested too deeply',
    detail: 'Send data that is some levels deep, not thousands.',
  },
  notParsed: {
    type: problemType('unreadable-body'),
    status: 415,
    title: 'The Content-Type of the body is not supported',
    detail:
      'The body was not read, so the key cannot be bound to it: send application/json, or what else the documentation names.',
  },
} as const satisfies Record<string, Problem>
