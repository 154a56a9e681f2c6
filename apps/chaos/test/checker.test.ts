import { describe, expect, test } from 'vitest'
import { check } from '../src/checker/check.ts'
import { type InvariantName, INVARIANTS } from '../src/checker/invariants.ts'
import type { JobState, RateTerms } from '../src/history/records.ts'
import type { Story } from './support/story.ts'
import { begun, JOB, Story as NewStory, WORKER_A, WORKER_B } from './support/story.ts'

const OTHER = '00000000-0000-7000-8000-000000000002'

/** The invariants that a history violates. */
function violated(story: Story): string[] {
  const { violations } = check(story.history())
  return Object.entries(violations).flatMap(([name, count]) => (count > 0 ? [name] : []))
}

/** Two jobs of a queue with a rate, and of groups with one. */
const paced = (queue: RateTerms, group: RateTerms = queue): Story =>
  new NewStory({ rates: { plain: { queue, group } } })
    .worker(WORKER_A, 'renews')
    .enqueued()
    .enqueued('t2', OTHER)

/** A handler holds its group back for so many ms (or the queue, for ''), and its job waits again; there is another one. */
const toldToSlowDown = (forMs: number, group: string): Story =>
  new NewStory()
    .worker(WORKER_A, 'renews')
    .enqueued()
    .enqueued('t2', OTHER)
    .job({ group: 'g' })
    .claimed()
    .says('a', { op: 'end', job: JOB, fence: 1, how: 'held-back' })
    .heldBack(forMs, group)
    .job({ status: 'pending', fence: 2, attempts: 0, lockedBy: null }, { move: true })

/** A worker that says the same again and again. */
function long(): Story {
  const story = new NewStory().worker(WORKER_A, 'renews')
  for (let count = 0; count < 200_000; count++)
    story.says('a', { op: 'trouble', where: 'claiming', message: '' })
  return story
}

describe('a history without a violation', () => {
  test.each<[string, Story]>([
    [
      'a running job that is given back by a worker that was asked to stop',
      begun()
        .says('harness', { op: 'fault', kind: 'stop', process: 'a' })
        .wait(300)
        .job({ status: 'pending', fence: 2, attempts: 0, lockedBy: null })
        .job({ status: 'cancelled', fence: 3 }),
    ],
    [
      'an answer that names a job whose end was not committed yet',
      new NewStory()
        .enqueued()
        .job({ uniqueKey: 'k' })
        .job({ status: 'cancelled', fence: 1 })
        .wait(1_000)
        .says('p', { op: 'enqueue', call: 'c', queue: 'plain', tickets: ['t2'], key: 'k' })
        .says('p', { op: 'enqueued', call: 'c', jobs: [{ ticket: 't2', id: JOB, deduplicated: true }] }),
    ],
    ['a job that is done', begun().ended().completed().told()],
    ['a run with more records than a call takes arguments', long()],
    [
      'a job that is taken from a lost worker and done by another one, while the first one still runs',
      begun()
        .wait(1_100)
        .worker(WORKER_A, 'lost')
        .rescued()
        .claimed(WORKER_B)
        .ended('a', 1)
        .ended('b', 3)
        .completed()
        .told('b', 3),
    ],
    [
      'a job that stays for long with a lost worker while there are faults',
      begun()
        .wait(3_000)
        .says('harness', { op: 'fault', kind: 'restart' })
        .worker(WORKER_B, 'renews')
        .wait(2_500)
        .worker(WORKER_B, 'renews')
        .wait(1_000)
        .worker(WORKER_A, 'lost')
        .rescued()
        .job({ status: 'cancelled', fence: 3 }),
    ],
    [
      'an enqueue whose answer was lost, and that had not happened',
      begun()
        .ended()
        .completed()
        .told()
        .says('p', { op: 'enqueue', call: 'x!', queue: 'plain', tickets: ['x'] }),
    ],
    [
      'a claim that a crash of the server has undone, and that is made again under the same fence',
      begun()
        .says('harness', { op: 'fault', kind: 'restart' })
        .says('b', { op: 'start', job: JOB, fence: 1, attempt: 1, queue: 'plain', ticket: 't1' })
        .ended()
        .completed()
        .told(),
    ],
    [
      'jobs that begin as fast as their rate allows',
      paced({ limit: 1, perMs: 30, burst: 1 })
        .claimed()
        .wait(10)
        .claimed(WORKER_A, OTHER)
        .job({ status: 'cancelled', fence: 2, lockedBy: null })
        .job({ status: 'cancelled', fence: 2, lockedBy: null }, { id: OTHER }),
    ],
    [
      'a job of another group, and one after its group was held back',
      toldToSlowDown(200, 'g')
        .job({ group: 'h' }, { id: OTHER })
        .claimed(WORKER_A, OTHER)
        .job({ status: 'cancelled', fence: 2, lockedBy: null }, { id: OTHER })
        .wait(200)
        .claimed()
        .job({ status: 'cancelled', fence: 4, lockedBy: null }),
    ],
    [
      'a queue that is resumed, and a pause that others have undone before its answer',
      new NewStory()
        .worker(WORKER_A, 'renews')
        .enqueued()
        .switched('paused')
        .switched('resumed')
        .says('p', { op: 'switched', call: 'late', to: 'paused', queue: 'plain' })
        .claimed()
        .ended()
        .completed()
        .told(),
    ],
    [
      'jobs that wait behind each other',
      serial()
        .worker(WORKER_A, 'renews')
        .enqueued()
        .job({ uniqueKey: 'k' })
        .claimed()
        .enqueued('t2', OTHER)
        .job({ uniqueKey: 'k' }, { id: OTHER })
        .ended()
        .completed()
        .told()
        .job({ status: 'cancelled', fence: 1 }, { id: OTHER }),
    ],
    [
      'ticks that all have their job, and a key that is free again when its period is over',
      new NewStory({ schedules: { clock: 1_000 }, unique: { plain: { periodMs: 30 } } })
        .job({ ...ofTick('2030-01-01T00:00:01Z'), uniqueKey: 'k' })
        .job({ status: 'cancelled', fence: 1 })
        .job({ ...ofTick('2030-01-01T00:00:02Z'), uniqueKey: 'k' }, { id: OTHER })
        .job({ status: 'cancelled', fence: 1 }, { id: OTHER })
        .end({ tickedUntil: Date.parse('2030-01-01T00:00:02.900Z') }),
    ],
    [
      'a job that is snoozed and gets its attempt back',
      begun()
        .says('a', { op: 'end', job: JOB, fence: 1, how: 'snoozed' })
        .job({ status: 'pending', fence: 2, attempts: 0, lockedBy: null })
        .claimed()
        .ended('a', 3)
        .completed()
        .told('a', 3),
    ],
    [
      'a job that is cancelled while it waits, and started again',
      new NewStory()
        .worker(WORKER_A, 'renews')
        .enqueued()
        .job({ status: 'cancelled', fence: 1 })
        .job({ status: 'pending', fence: 2 })
        .claimed()
        .ended('a', 3)
        .completed()
        .told('a', 3),
    ],
  ])('%s', (_name, story) => {
    expect(violated(story)).toEqual([])
  })
})

const ofTick = (tick: string): Partial<JobState> => ({ schedule: 'clock', tick, ticket: 'clock' })
const ticked = (tick: string): Story => new NewStory({ schedules: { clock: 1_000 } }).job(ofTick(tick))
const serial = (): Story => new NewStory({ unique: { plain: { serial: true } } })

/** For each invariant the shortest histories that break it. */
const BROKEN: Record<InvariantName, readonly (() => Story)[]> = {
  'lost-job': [
    () => begun().ended().completed().told().job(null),
    () =>
      new NewStory().says('p', {
        op: 'enqueued',
        call: 'c',
        jobs: [{ ticket: 't1', id: JOB, deduplicated: false }],
      }),
    () =>
      begun()
        .ended()
        .completed()
        .told()
        .end({
          jobs: [
            { id: JOB, status: 'completed', fence: 1 },
            { id: JOB, status: 'completed', fence: 1 },
          ],
        }),
  ],
  'phantom-job': [
    () => new NewStory().job({ status: 'pending' }).job({ status: 'cancelled', fence: 1 }),
    () =>
      begun()
        .ended()
        .completed()
        .told()
        .says('p', { op: 'refused', call: 't1!', code: 'ROLLED_BACK', sure: true }),
    () =>
      new NewStory().says('a', { op: 'start', job: JOB, fence: 1, attempt: 1, queue: 'plain', ticket: 't1' }),
  ],
  'double-enqueue': [
    () =>
      begun()
        .ended()
        .completed()
        .told()
        .job({}, { id: OTHER })
        .job({ status: 'cancelled', fence: 1 }, { id: OTHER }),
  ],
  'broken-transaction': [
    () =>
      new NewStory()
        .says('p', { op: 'enqueue', call: 'c', queue: 'order', tickets: ['t1'], order: true })
        .end({ orders: ['t1'] }),
    () =>
      new NewStory()
        .says('p', { op: 'enqueue', call: 'c', queue: 'order', tickets: ['t1'], order: true })
        .job({})
        .job({ status: 'cancelled', fence: 1 }),
  ],
  'fence-order': [
    () => begun().wait(1_100).worker(WORKER_A, 'lost').job({ status: 'failed', crashes: 1, lockedBy: null }),
    () =>
      new NewStory()
        .worker(WORKER_A, 'renews')
        .enqueued()
        .job({ status: 'processing', fence: 2, attempts: 1, lockedBy: WORKER_A, startedAt: 1 }),
    () => begun().ended().job({ status: 'completed', fence: 0, lockedBy: null }),
  ],
  'double-start': [
    () =>
      begun()
        .says('b', { op: 'start', job: JOB, fence: 1, attempt: 1, queue: 'plain', ticket: 't1' })
        .ended()
        .completed()
        .told(),
  ],
  'overlapping-claims': [() => begun().job({ fence: 2, lockedBy: WORKER_B })],
  'early-rescue': [() => begun().rescued(), () => begun().worker(WORKER_A, 'lost').rescued()],
  'unearned-outcome': [
    () => begun().completed(),
    // Given back while its handler runs, by nobody who was asked to stop.
    () => begun().wait(300).job({ status: 'pending', fence: 2, attempts: 0, lockedBy: null }),
    // The zombie has ended, and not the one that holds the claim.
    () => begun().wait(1_100).worker(WORKER_A, 'lost').rescued().claimed(WORKER_B).ended('a', 1).completed(),
  ],
  'stale-write': [
    () => begun().wait(1_100).worker(WORKER_A, 'lost').rescued().claimed(WORKER_B).job({ progressFence: 1 }),
  ],
  'double-outcome': [() => begun().ended().completed().told().told()],
  'illegal-transition': [
    () => begun().ended().completed().told().job({ status: 'pending', fence: 2 }),
    () => begun().job(null),
    () => new NewStory().job({ status: 'failed' }),
    () => new NewStory().enqueued().job({ status: 'completed' }),
  ],
  attempts: [
    () =>
      new NewStory()
        .worker(WORKER_A, 'renews')
        .enqueued()
        .job({ status: 'processing', fence: 1, lockedBy: WORKER_A, startedAt: 1 }),
    () => new NewStory().worker(WORKER_A, 'renews').enqueued().job({ attempts: 3 }).claimed(),
    () => begun().ended().job({ status: 'pending', fence: 2, lockedBy: null }),
  ],
  'transactional-effects': [
    () =>
      begun({ transactionalQueues: ['plain'] })
        .ended()
        .completed()
        .told(),
    () =>
      begun({ transactionalQueues: ['plain'] })
        .ended()
        .completed()
        .told()
        .end({
          effects: [
            { job: JOB, fence: 1 },
            { job: JOB, fence: 1 },
          ],
        }),
    () =>
      begun({ transactionalQueues: ['plain'] })
        .ended()
        .completed()
        .told()
        .end({ effects: [{ job: JOB, fence: 3 }] }),
    () => new NewStory().end({ effects: [{ job: JOB, fence: 1 }] }),
  ],
  'unique-key': [
    () => new NewStory().job({ uniqueKey: 'k' }).job({ uniqueKey: 'k', ticket: 't2' }, { id: OTHER }),
    () =>
      new NewStory()
        .enqueued()
        .says('p', { op: 'enqueue', call: 'c', queue: 'plain', tickets: ['t2'], key: 'k' })
        .says('p', { op: 'enqueued', call: 'c', jobs: [{ ticket: 't2', id: JOB, deduplicated: true }] }),
    // It held the key once, and has long ended.
    () =>
      new NewStory()
        .job({ uniqueKey: 'k' })
        .job({ status: 'cancelled', fence: 1 })
        .wait(5_100)
        .says('p', { op: 'enqueue', call: 'c', queue: 'plain', tickets: ['t2'], key: 'k' })
        .says('p', { op: 'enqueued', call: 'c', jobs: [{ ticket: 't2', id: JOB, deduplicated: true }] }),
    () => serial().job({ uniqueKey: 'k' }).job({ uniqueKey: 'k', ticket: 't2' }, { id: OTHER }),
    () =>
      serial()
        .worker(WORKER_A, 'renews')
        .job({ uniqueKey: 'k' })
        .claimed()
        .job({ uniqueKey: 'k', ticket: 't2' }, { id: OTHER })
        .claimed(WORKER_A, OTHER),
    () =>
      serial()
        .job({ uniqueKey: 'k' })
        .says('p', { op: 'enqueue', call: 'c', queue: 'plain', tickets: ['t2'], key: 'k' })
        .says('p', { op: 'enqueued', call: 'c', jobs: [{ ticket: 't2', id: JOB, deduplicated: true }] }),
    () =>
      new NewStory({ unique: { plain: { periodMs: 1_000 } } })
        .worker(WORKER_A, 'renews')
        .job({ uniqueKey: 'k' })
        .claimed()
        .completed()
        .job({ uniqueKey: 'k', ticket: 't2' }, { id: OTHER }),
  ],
  'tick-once': [
    () => ticked('2030-01-01T00:00:01Z').job(ofTick('2030-01-01T00:00:01Z'), { id: OTHER }),
    // One between two is missing; the last one is; all are.
    () =>
      ticked('2030-01-01T00:00:01Z')
        .job(ofTick('2030-01-01T00:00:03Z'), { id: OTHER })
        .end({ tickedUntil: Date.parse('2030-01-01T00:00:03.500Z') }),
    () => ticked('2030-01-01T00:00:01Z').end({ tickedUntil: Date.parse('2030-01-01T00:00:02.500Z') }),
    () =>
      new NewStory({ schedules: { clock: 1_000 } }).end({ tickedUntil: Date.parse('2030-01-01T00:00:02Z') }),
  ],
  'too-many-at-once': [
    () =>
      begun({ concurrency: 1 }).says('a', {
        op: 'start',
        job: OTHER,
        fence: 1,
        attempt: 1,
        queue: 'plain',
        ticket: 't2',
      }),
  ],
  hoarding: [() => begun({ maxHeld: 1 }).enqueued('t2', OTHER).claimed(WORKER_A, OTHER)],
  'over-limit': [
    () =>
      new NewStory({ limits: { plain: { concurrency: 1, perGroup: 1 } } })
        .worker(WORKER_A, 'renews')
        .enqueued()
        .enqueued('t2', OTHER)
        .claimed()
        .claimed(WORKER_A, OTHER),
    () =>
      new NewStory({ limits: { plain: { concurrency: 2, perGroup: 1 } } })
        .worker(WORKER_A, 'renews')
        .enqueued()
        .enqueued('t2', OTHER)
        .job({ group: 'g' })
        .job({ group: 'g' }, { id: OTHER })
        .claimed()
        .claimed(WORKER_A, OTHER),
  ],
  'over-rate': [
    // 10 ms apart from claim to claim, with what is said in between: 30 ms.
    () => paced({ limit: 1, perMs: 100, burst: 1 }).claimed().claimed(WORKER_A, OTHER),
    () => paced({ limit: 1, perMs: 100, burst: 2 }).job({ cost: 2 }).claimed().claimed(WORKER_A, OTHER),
    () =>
      paced({ limit: 1_000, perMs: 1, burst: 1_000 }, { limit: 1, perMs: 100, burst: 1 })
        .job({ group: 'g' })
        .job({ group: 'g' }, { id: OTHER })
        .claimed()
        .claimed(WORKER_A, OTHER),
  ],
  'claimed-while-held-back': [
    () => toldToSlowDown(200, 'g').job({ group: 'g' }, { id: OTHER }).claimed(WORKER_A, OTHER),
    () => toldToSlowDown(200, '').claimed(WORKER_A, OTHER),
  ],
  'claimed-while-paused': [
    () => new NewStory().worker(WORKER_A, 'renews').enqueued().switched('paused').claimed(),
    () =>
      new NewStory().worker(WORKER_A, 'renews').enqueued().switched('resumed').switched('paused').claimed(),
  ],
  'claim-order': [
    () =>
      new NewStory({ orderedQueues: ['plain'] })
        .enqueued()
        .enqueued('t2', OTHER)
        .claimed(WORKER_A, OTHER)
        .claimed(),
  ],
  'early-run': [
    () => new NewStory().worker(WORKER_A, 'renews').enqueued().job({ scheduledFor: 5_000 }).claimed(),
  ],
  'lost-outcome': [() => begun().ended().told(), () => begun().ended().completed().told('b', 1)],
  'garbled-outcome': [
    () => begun().ended().job({ status: 'completed', lockedBy: null, resultFence: 3 }).told(),
    () =>
      begun().says('a', { op: 'end', job: JOB, fence: 1, how: 'threw', message: 'no' }).completed().told(),
    () => begun().ended().job({ status: 'completed', lockedBy: null, resultTicket: 't2' }).told(),
    () =>
      begun()
        .says('a', { op: 'end', job: JOB, fence: 1, how: 'threw', message: 'told to \0 fail' })
        .job({ status: 'failed', fence: 2, lockedBy: null, error: 'something else' }),
  ],
  'lost-act': [
    () =>
      begun()
        .says('p', { op: 'act', call: 'c', act: 'cancel', job: JOB })
        .says('p', { op: 'acted', call: 'c', changed: 1 })
        .ended()
        .completed()
        .told(),
  ],
  'unasked-act': [
    () => new NewStory().enqueued().job({ status: 'cancelled', fence: 1 }, { asked: false }),
    () =>
      new NewStory()
        .enqueued()
        .job({ status: 'cancelled', fence: 1 })
        .job({ status: 'pending', fence: 2 }, { asked: false }),
  ],
  'unexplained-row': [
    () =>
      begun()
        .ended()
        .completed()
        .told()
        .end({ jobs: [{ id: JOB, status: 'dead', fence: 1 }] }),
  ],
  'cross-talk': [() => new NewStory().end({ bystanderUnchanged: false })],
  'stuck-job': [() => begun(), () => new NewStory().enqueued()],
  'late-rescue': [
    () =>
      begun()
        .wait(3_000)
        .worker(WORKER_B, 'renews')
        .wait(2_500)
        .worker(WORKER_B, 'renews')
        .wait(1_000)
        .enqueued('t2', OTHER),
  ],
  'slow-stop': [
    () =>
      new NewStory().says('harness', {
        op: 'exit',
        process: 'a',
        code: null,
        signal: 'SIGKILL',
        wanted: true,
        tookMs: 60_000,
      }),
    () =>
      new NewStory().says('harness', {
        op: 'exit',
        process: 'a',
        code: 1,
        signal: null,
        wanted: true,
        tookMs: 10,
      }),
  ],
  'process-died': [
    () => new NewStory().says('harness', { op: 'exit', process: 'a', code: 1, signal: null, wanted: false }),
    () => new NewStory().says('a', { op: 'crash', message: 'unhandledRejection' }),
  ],
  connections: [() => new NewStory().end({ connections: { a: 100 } })],
  deadlock: [() => new NewStory().end({ deadlocks: 1 })],
}

describe.each(Object.keys(INVARIANTS) as InvariantName[])('%s', (name) => {
  test.each(BROKEN[name].map((story, i) => [i + 1, story] as const))(
    'is seen to be broken, history %i',
    (_i, story) => {
      expect(violated(story())).toContain(name)
    },
  )
})

test('the shortest history is that of the job with the fewest events, in the order of their times, from both sources', () => {
  const story = begun().ended().completed().told().told()
  story.enqueued('t2', OTHER).claimed(WORKER_A, OTHER).completed(OTHER)
  const { shortest } = check(story.history())
  expect(shortest[0]).toMatch(/^unearned-outcome: job 0.*2 became completed/)
  expect(
    shortest.slice(1).map((line) =>
      line
        .replace(/^.* ms {2}/, '')
        .split(/[:{]/)[0]
        ?.trim(),
    ),
  ).toEqual([
    'p  enqueue',
    'database  inserted',
    'p  enqueued',
    'database  claimed',
    'a  start',
    'database  settled',
  ])
})
