import {
  type AnyQueue,
  type EnqueueOptions,
  type EnqueueResult,
  type InputOf,
  type JobRecord,
  type Pgq,
  PgqError,
  type Queryable,
  type Transaction,
} from '@pgq/core'
import type { Request, Response } from 'express'
import { boundedText } from './idempotency/bounded-text.ts'
import { requestFingerprint } from './idempotency/fingerprint.ts'
import { type IdempotencyOptions, idempotencyOptions, scopeOf } from './idempotency/idempotency-options.ts'
import { idempotencyKey } from './idempotency/key.ts'
import { IdempotencyKeyError } from './idempotency/key-error.ts'
import { requestMark, twice } from './idempotency/request-mark.ts'
import { type Reply, type ReplyInit, sendReply, storedReply } from './reply.ts'
import type { JobAddress } from './status-path.ts'

/** What `accepted` needs to know of a job: what `enqueue` returned, or a record of it. */
export type AcceptedJob = Pick<EnqueueResult, 'id'> &
  Partial<Pick<EnqueueResult, 'deduplicated'> & Pick<JobRecord, 'status'>>

/** What a request's queue is made of. */
export interface RequestQueueDeps {
  readonly pgq: Pgq
  readonly req: Request
  /** The path that the middleware was mounted at. */
  readonly mountedAt: string
  readonly addressOf: JobAddress
  readonly retryAfterSeconds: number
  readonly idempotency: IdempotencyOptions | undefined
}

/** The queue as a request sees it: `req.pgq`. */
export class RequestQueue {
  readonly #deps: RequestQueueDeps

  constructor(deps: RequestQueueDeps) {
    this.#deps = deps
  }

  /**
   * Writes one job, as `pgq.enqueue` does.
   * @throws PgqError as that; `problems()` turns it into the answer
   */
  enqueue<Q extends AnyQueue>(
    queue: Q,
    payload: InputOf<Q>,
    options?: EnqueueOptions<InputOf<Q>>,
  ): Promise<EnqueueResult> {
    return this.#deps.pgq.enqueue(queue, payload, options)
  }

  /** Writes many jobs of one queue, all or none of them, as `pgq.enqueueMany` does. */
  enqueueMany<Q extends AnyQueue>(
    queue: Q,
    payloads: Iterable<InputOf<Q>>,
    options?: EnqueueOptions<InputOf<Q>>,
  ): Promise<EnqueueResult[]> {
    return this.#deps.pgq.enqueueMany(queue, payloads, options)
  }

  /** Runs `work` in a transaction, as `pgq.transaction` does: it has committed when the promise resolves. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#deps.pgq.transaction(work)
  }

  /**
   * Answers that a job will do what was asked: 202 with `Location` and `Retry-After`, and a JSON body of `id`, `status`,
   * `links`, `deduplicated` if it is so, and what you add. Call it after the transaction of the job has committed.
   */
  accepted(res: Response, job: AcceptedJob, body?: { readonly [name: string]: unknown }): void {
    sendReply(res, { ...storedReply(this.acceptedReply(job, body)), replayed: false })
  }

  /** The same answer for `idempotent`, which sends it later. */
  acceptedReply(job: AcceptedJob, body: { readonly [name: string]: unknown } = {}): ReplyInit {
    const { req, mountedAt, addressOf, retryAfterSeconds } = this.#deps
    const self = addressOf(req, mountedAt, job.id)
    return {
      status: 202,
      headers: { Location: self, 'Retry-After': String(retryAfterSeconds) },
      body: {
        id: job.id,
        // A job that stands in for this one may be further: whoever wants to know asks at `self`.
        status: job.status ?? 'pending',
        ...(job.deduplicated === true && { deduplicated: true }),
        links: { self, events: `${self}/events` },
        ...body,
      },
    }
  }

  /**
   * Does the work of a request once for each `Idempotency-Key`, in a transaction that stores the answer with what the work
   * writes: yours, or one that is opened and committed here. A request that is sent again gets the answer of the first. Work that throws
   * stores nothing. Give what is returned to `send`, after your transaction has committed.
   * @throws IdempotencyKeyError for a missing or malformed key (400), PgqError IDEMPOTENCY_KEY_REUSED (422), IDEMPOTENCY_KEY_IN_USE (409),
   * INVALID_OPTION without a `scope`
   * @example
   * const reply = await req.pgq.idempotent(async (tx) => {
   *   const job = await req.pgq.enqueue(reports, req.body, { tx })
   *   return req.pgq.acceptedReply(job)
   * })
   * req.pgq.send(res, reply)
   */
  idempotent(
    work: (tx: Transaction) => Promise<ReplyInit>,
    options?: Partial<IdempotencyOptions>,
  ): Promise<Reply>
  idempotent(
    tx: Queryable,
    work: () => Promise<ReplyInit>,
    options?: Partial<IdempotencyOptions>,
  ): Promise<Reply>
  async idempotent(
    first: Queryable | ((tx: Transaction) => Promise<ReplyInit>),
    second?: (() => Promise<ReplyInit>) | Partial<IdempotencyOptions>,
    third?: Partial<IdempotencyOptions>,
  ): Promise<Reply> {
    if (typeof first === 'function') {
      // Refused before a connection is taken for it.
      const once = this.#once(second as Partial<IdempotencyOptions> | undefined)
      return this.#deps.pgq.transaction((tx) => once(tx, () => first(tx)))
    }
    if (typeof second === 'function') return this.#once(third)(first, second)
    throw new PgqError('INVALID_OPTION', 'idempotent takes (work) or (tx, work), and work is a function')
  }

  /** Sends what `idempotent` returned. Call it after COMMIT: before, the answer could be about something that never happens. */
  send(res: Response, reply: Reply): void {
    sendReply(res, reply)
  }

  /** Reads the key of the request, and returns how to do its work. */
  #once(given: Partial<IdempotencyOptions> = {}): Once {
    const { pgq, req } = this.#deps
    const options = this.#idempotencyFor(given)
    const header = idempotencyKey(req)
    if (header.kind === 'malformed') throw new IdempotencyKeyError('malformed')
    if (header.kind === 'missing') {
      if (options.required === true) throw new IdempotencyKeyError('missing')
      return async (_tx, work) => ({ ...storedReply(await work()), replayed: false })
    }
    const key = {
      key: header.key,
      scope: boundedText(scopeOf(options, req)),
      fingerprint: boundedText((options.fingerprint ?? requestFingerprint)(req)),
      ...(options.ttl !== undefined && { ttl: options.ttl }),
    }
    return async (tx, work) => {
      const mark = requestMark(req)
      const leave = mark.enter(key)
      try {
        const { value, replayed } = await pgq.once({ ...key, tx }, async () => ({
          ...storedReply(await work()),
          by: mark.id,
        }))
        const { by, ...reply } = value
        // Tried again after a COMMIT that failed, it is not there; so this is a second piece of work.
        if (replayed && by === mark.id) throw twice()
        return { ...reply, replayed }
      } finally {
        leave()
      }
    }
  }

  #idempotencyFor(given: Partial<IdempotencyOptions>): IdempotencyOptions {
    const options = { ...this.#deps.idempotency, ...given }
    if (options.scope !== undefined) return idempotencyOptions(options as IdempotencyOptions)
    throw new PgqError(
      'INVALID_OPTION',
      'idempotent needs to know whose key it is: pgqMiddleware(pgq, { idempotency: { scope: (req) => req.user.id } })',
    )
  }
}

type Once = (tx: Queryable, work: () => Promise<ReplyInit>) => Promise<Reply>
