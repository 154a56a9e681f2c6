import { expect, test } from 'vitest'
import { explore, type Model } from './support/explore.ts'
import { type Protocol, protocolModel, RULES, type Rules } from './support/protocol-model.ts'

/** How many things may go wrong in one history. Two take minutes, and gigabytes: `PGQ_MODEL_FAULTS=2`. */
const FAULTS = Number(process.env['PGQ_MODEL_FAULTS'] ?? 1)

test(
  'whatever goes wrong wherever: one outcome a fence, attempts within their limit, effects once, nothing lost, nothing stuck',
  { timeout: 3_600_000 },
  () => {
    const { violation, states, taken } = explore(protocolModel(RULES, FAULTS))
    expect(violation).toBeUndefined()
    // It has seen all there is, and every fault has happened.
    expect(states).toBeGreaterThan(50_000)
    expect([...taken.keys()].toSorted()).toMatchInlineSnapshot(`
      [
        "COMMIT arrives",
        "COMMIT never arrives",
        "a connection breaks",
        "a handler ends: completed",
        "a handler ends: dead",
        "a handler ends: failed",
        "a handler ends: released",
        "a handler ends: transactional",
        "a heartbeat finds a claim lost, and aborts",
        "a process is killed",
        "a process starts",
        "a worker finds itself lost",
        "a worker stops, and removeWorker is sent",
        "adoptOrphans",
        "an answer comes",
        "cancelJobs commits",
        "claimJobs commits",
        "claimJobs is sent",
        "forgetWorkers",
        "loseWorkers declares a dead one lost",
        "loseWorkers declares a living one lost",
        "redriveJobs commits",
        "releaseStrays commits",
        "releaseStrays is sent",
        "removeWorker commits",
        "rescueJobs commits",
        "settle commits",
        "settle runs in a transaction",
        "somebody sets a running job to pending by hand",
        "the server crashes",
        "the server crashes, and undoes a claim",
      ]
    `)
  },
)

/** Most rules can be seen broken without this fault, which is what most histories are about. */
const withoutUndoing = (model: Model<Protocol>): Model<Protocol> => ({
  ...model,
  steps: (state) =>
    [...model.steps(state)].filter(({ name }) => name !== 'the server crashes, and undoes a claim'),
})

const broken: readonly [what: string, rules: Partial<Rules>, seen: string][] = [
  [
    'a settle that compares nothing but the status',
    { settleCompares: { fence: false, worker: false } },
    'a claim was settled by somebody who had lost his',
  ],
  [
    'a settle that compares only the worker',
    { settleCompares: { fence: false, worker: true } },
    'a claim was settled by somebody who had lost his',
  ],
  [
    'an attempt number for a fence, which is given back',
    { fenceIs: 'the attempt' },
    'two outcomes of one fence were accepted',
  ],
  [
    'a rescue that writes what it read earlier',
    { rescueRechecks: false },
    'a job was rescued that had ended',
  ],
  [
    'an attempt that is charged when it has failed',
    { claimCharges: false },
    'more attempts were begun than allowed, and none was given back',
  ],
  ['a claim without an answer that nobody looks for', { straysReleased: false }, 'stuck for ever'],
  [
    'a look for strays that takes what runs for one',
    { straysKnow: false },
    'a claim was given back in its hand',
  ],
  ['claims in the name of nobody that nobody finds', { orphansAdopted: false }, 'stuck for ever'],
  [
    'a settle that takes any answer for a yes',
    { answerRead: false },
    'an outcome was told that was not accepted',
  ],
  [
    'a lost answer that is taken for a no',
    { outcomesAsked: false },
    'a completion that was accepted was told to be lost',
  ],
  [
    'a late COMMIT that nobody expects any more',
    { lateCommitTold: false },
    'a completion that was accepted was told to be lost',
  ],
  ['effects that commit before the completion', { effectsInTransaction: false }, 'effects happened twice'],
  ['a move of two statements', { moveIsOneStatement: false }, 'the job is lost'],
]

test.for(broken)('the model notices %s', ([, rules, seen]) => {
  const { violation } = explore(withoutUndoing(protocolModel({ ...RULES, ...rules }, 1)))
  expect(violation?.what).toBe(seen)
  expect(violation?.trace).toSatisfy((trace: string[]) => trace.length <= 20)
})

test.for<(typeof broken)[number]>([
  [
    'a settle that does not compare the worker',
    { settleCompares: { fence: true, worker: false } },
    'a claim was settled by somebody who had lost his',
  ],
  [
    'another claim with the same fence taken for its own',
    { outcomesKnowClaim: false },
    'an outcome was told that was not accepted',
  ],
])('the model notices, when a crash of the server undoes a claim, %s', ([, rules, seen]) => {
  const { violation } = explore(protocolModel({ ...RULES, ...rules }, 1))
  expect(violation?.what).toBe(seen)
  expect(violation?.trace).toContain('the server crashes, and undoes a claim')
})

// Where there are two nets, each of them is enough.
test.for<[string, Partial<Rules>]>([
  ['a claim does not look at the row of its worker', { claimAsksWorker: false }],
  ['the row of a worker goes before its jobs', { rowOutlivesJobs: false }],
])('nothing is stuck if %s, since orphans are found', ([, rules]) => {
  const { violation } = explore(withoutUndoing(protocolModel({ ...RULES, ...rules }, 1)))
  expect(violation).toBeUndefined()
})
