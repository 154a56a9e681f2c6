import { randomUUID } from 'node:crypto'
import { PgqError } from '@pgq/core'
import type { Request } from 'express'

/** What a piece of work is known by. */
interface WorkKey {
  readonly scope: string
  readonly key: string
}

/**
 * Tells one request from another that was sent with the same key. It is stored with the answer, so a second piece of
 * work in the same request, which would get the answer of the first, is noticed.
 */
class RequestMark {
  readonly id = randomUUID()
  readonly #underWay = new Set<string>()

  /**
   * Says that work begins. The returned function says that it is over.
   * @throws PgqError INVALID_OPTION when other work of this request is under way with this key
   */
  enter({ scope, key }: WorkKey): () => void {
    const name = JSON.stringify([scope, key])
    if (this.#underWay.has(name)) throw twice()
    this.#underWay.add(name)
    return () => void this.#underWay.delete(name)
  }
}

const marks = new WeakMap<Request, RequestMark>()

/** The mark of a request: one, however many middlewares it went through. */
export function requestMark(req: Request): RequestMark {
  const known = marks.get(req)
  if (known) return known
  const mark = new RequestMark()
  marks.set(req, mark)
  return mark
}

/** A request has one answer, and its key stands for that. */
export function twice(): PgqError {
  return new PgqError(
    'INVALID_OPTION',
    'idempotent was called twice in one request, and a key has one answer: do all of it in one call, or give each a scope of its own, as in idempotent(work, { scope })',
  )
}
