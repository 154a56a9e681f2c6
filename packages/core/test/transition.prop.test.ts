// oxlint-disable vitest/no-conditional-expect -- what must hold depends on the value
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CancelJob, DeadJob, RetryJob, SnoozeJob } from '../src/index.ts'
import { JOB_STATUSES, TRANSITIONS } from '../src/job/status.ts'
import { type AttemptResult, decideTransition } from '../src/job/transition.ts'
import type { Backoff } from '../src/retry/backoff.ts'
import { LONGEST_MS } from '../src/runtime/duration.ts'
import { anyValue } from './support/any-value.ts'

const ENDING = Symbol.for('pgq.ending')

const duration = fc.integer({ min: 0, max: LONGEST_MS })
const asked = fc.oneof(
  duration.map((delay) => new SnoozeJob(delay)),
  duration.map((after) => new RetryJob({ after })),
  fc.string().map((reason) => new CancelJob(reason)),
  fc.string().map((reason) => new DeadJob(reason)),
)
/** The brand is a registered symbol: another version of the package, or anybody, may put anything under it. */
const kinds = fc.constantFrom('snooze', 'retry', 'cancel', 'dead', 'other')
const forged = fc.oneof(
  anyValue.map((make) => ({ [ENDING]: make() })),
  fc.tuple(kinds, anyValue).map(([kind, make]) => ({ [ENDING]: { kind, delayMs: make() } })),
)
const results: fc.Arbitrary<AttemptResult> = fc.oneof(
  anyValue.map((make) => ({ kind: 'returned' as const, value: make() })),
  anyValue.map((make) => ({ kind: 'threw' as const, error: make() })),
  fc.oneof(asked, forged).map((error) => ({ kind: 'threw' as const, error })),
  anyValue.map((make) => ({ kind: 'rejected' as const, error: make() })),
  fc.constant({ kind: 'interrupted' as const }),
)
const backoffs: fc.Arbitrary<Backoff> = fc.oneof(
  anyValue.map((make) => () => make() as number),
  fc.constant(() => {
    throw new Error('a backoff function with a bug')
  }),
  duration.map((delayMs) => ({ type: 'fixed' as const, delayMs, jitter: 0.5 })),
  fc.record({
    type: fc.constant('exponential' as const),
    baseMs: duration,
    maxMs: duration,
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
)
const jobs = fc.record({
  attempt: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 1_000_000 })),
  maxAttempts: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 1_000_000 })),
  backoff: fc.oneof(fc.constant(null), fc.anything(), fc.constant({ type: 'fixed', delayMs: 5, jitter: 0 })),
})
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('whatever happens in an attempt, there is a legal transition that can be written', () => {
  fc.assert(
    fc.property(jobs, results, backoffs, random, (job, result, backoff, share) => {
      const transition = decideTransition(job, result, backoff, share)
      expect(TRANSITIONS.processing).toContain(transition.to)
      if ('delayMs' in transition && transition.delayMs !== undefined)
        expect(transition.delayMs).toSatisfy((ms: number) => ms >= 0 && ms <= LONGEST_MS)
      if ('error' in transition) {
        expect(typeof transition.error.name).toBe('string')
        expect(typeof transition.error.message).toBe('string')
      }
    }),
    { numRuns: 5_000 },
  )
})

test('an error never kills a job that has attempts left', () => {
  fc.assert(
    fc.property(jobs, anyValue, backoffs, random, (job, make, backoff, share) => {
      const { to } = decideTransition(job, { kind: 'threw', error: make() }, backoff, share)
      expect(to).toBe(job.attempt >= job.maxAttempts ? 'dead' : 'failed')
    }),
    { numRuns: 3_000 },
  )
})

test('a snooze is never charged, whichever attempt it is', () => {
  fc.assert(
    fc.property(jobs, duration, (job, delay) => {
      const transition = decideTransition(job, { kind: 'threw', error: new SnoozeJob(delay) })
      expect(transition).toEqual({ to: 'pending', cause: 'snoozed', delayMs: delay })
    }),
  )
})

test('what a handler asks for is what happens', () => {
  const job = { attempt: 1, maxAttempts: 3, backoff: null }
  const after = (error: unknown) => decideTransition(job, { kind: 'threw', error })
  expect(after(new CancelJob('the user is gone'))).toMatchObject({
    to: 'cancelled',
    error: { message: 'the user is gone' },
  })
  expect(after(new DeadJob('not JSON'))).toMatchObject({ to: 'dead', error: { message: 'not JSON' } })
  expect(after(new RetryJob({ after: '90s' }))).toMatchObject({ to: 'failed', delayMs: 90_000 })
  expect(
    decideTransition({ ...job, attempt: 3 }, { kind: 'threw', error: new RetryJob({ after: 1 }) }),
  ).toMatchObject({ to: 'dead' })
})

test('an ending is told by its brand, so that one of another copy of the package is understood', () => {
  const copy = Object.assign(new Error('snoozed elsewhere'), { [ENDING]: { kind: 'snooze', delayMs: 7 } })
  const job = { attempt: 1, maxAttempts: 1, backoff: null }
  expect(decideTransition(job, { kind: 'threw', error: copy })).toEqual({
    to: 'pending',
    cause: 'snoozed',
    delayMs: 7,
  })
})

test('a value that answers every property is simply an error', () => {
  const job = { attempt: 1, maxAttempts: 3, backoff: null }
  const mock: unknown = new Proxy(function mock() {}, { get: (): unknown => mock })
  const error = new Proxy({}, { get: (): unknown => mock })
  expect(decideTransition(job, { kind: 'threw', error })).toMatchObject({ to: 'failed' })
})

test('the backoff of the job goes before that of its queue', () => {
  const job = { attempt: 1, maxAttempts: 3, backoff: { type: 'fixed', delayMs: 5, jitter: 0 } }
  expect(decideTransition(job, { kind: 'threw', error: 1 }, () => '1h')).toMatchObject({ delayMs: 5 })
})

test('the table names every status, and only those', () => {
  expect(Object.keys(TRANSITIONS)).toEqual([...JOB_STATUSES])
  for (const targets of Object.values(TRANSITIONS))
    for (const status of targets) expect(JOB_STATUSES).toContain(status)
})
