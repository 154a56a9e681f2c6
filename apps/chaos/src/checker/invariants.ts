import * as claims from './claims.ts'
import { claimsWhileHeldBack, claimsWhilePaused } from './held-back.ts'
import * as keys from './keys.ts'
import * as limits from './limits.ts'
import * as losses from './losses.ts'
import * as outcomes from './outcomes.ts'
import { overRates } from './rates.ts'
import * as run from './run.ts'
import * as ticks from './ticks.ts'
import type { Invariant } from './violation.ts'

const invariant = (code: string, promise: string, check: Invariant['check']): Invariant => ({
  code,
  promise,
  check,
})

/** Everything that must hold of every history, by name. */
export const INVARIANTS = {
  'lost-job': invariant('S1', 'an acknowledged enqueue is in the tables, once', losses.lostJobs),
  'phantom-job': invariant(
    'S2',
    'no job exists or runs that was not enqueued, or whose enqueue was refused',
    losses.phantoms,
  ),
  'double-enqueue': invariant(
    'S1',
    'one enqueue makes one job, also when its answer is lost',
    losses.doubleEnqueues,
  ),
  'broken-transaction': invariant(
    'S2',
    'a job and the rows of its transaction are there together or not at all',
    losses.brokenTransactions,
  ),
  'fence-order': invariant(
    'S3',
    'the fence never falls; a claim raises it by one, whoever takes a job away raises it too',
    claims.fenceOrder,
  ),
  'double-start': invariant('S3', 'a claim is handed to one handler', claims.doubleStarts),
  'overlapping-claims': invariant('S4', 'no job has two live claims', claims.overlappingClaims),
  'early-rescue': invariant(
    'S4',
    'no claim is taken away before the lease of its worker has run out',
    claims.earlyRescues,
  ),
  'unearned-outcome': invariant(
    'S5',
    'an outcome is accepted from the handler that holds the claim, after it has ended',
    outcomes.unearnedOutcomes,
  ),
  'stale-write': invariant(
    'S5',
    'progress is accepted from the handler that holds the claim',
    outcomes.staleWrites,
  ),
  'double-outcome': invariant(
    'S6',
    'at most one outcome is accepted for each (id, fence)',
    outcomes.doubleOutcomes,
  ),
  'illegal-transition': invariant(
    'S7',
    'statuses change as the matrix allows; what is completed stays',
    claims.illegalTransitions,
  ),
  attempts: invariant(
    'S8',
    'a claim costs one attempt, there are never more than the limit',
    claims.attempts,
  ),
  'transactional-effects': invariant(
    'S9',
    'effects of a transactional handler are there exactly once if its job completed, else never',
    outcomes.transactionalEffects,
  ),
  'unique-key': invariant(
    'S10',
    'jobs that are unique are, waiting or running or for a period, and who hears of a duplicate hears the truth',
    keys.uniqueKeys,
  ),
  'tick-once': invariant('S1', 'each tick of a schedule makes one job', ticks.tickOnce),
  'too-many-at-once': invariant('S11', 'no worker runs more handlers at once than it may', run.crowds),
  hoarding: invariant('S11', 'no worker claims more than it has room for', claims.hoarding),
  'over-limit': invariant(
    'S11',
    'no more jobs of a queue or a group run at once than its limits allow',
    limits.overLimits,
  ),
  'over-rate': invariant(
    'S11',
    'jobs of a queue or a group begin no faster than its rate allows, over all workers',
    overRates,
  ),
  'claimed-while-held-back': invariant(
    'S11',
    'what a handler has held back is not claimed before its time',
    claimsWhileHeldBack,
  ),
  'claimed-while-paused': invariant(
    'S11',
    'nothing of a queue is claimed from the answer to a pause until it is resumed',
    claimsWhilePaused,
  ),
  'claim-order': invariant('S12', 'one worker alone claims in the order of the queue', claims.claimOrder),
  'early-run': invariant('S13', 'no job is claimed before it is due', claims.earlyRuns),
  'lost-outcome': invariant(
    'S14, S15',
    'an outcome that a worker was told of is written, and stays',
    outcomes.lostOutcomes,
  ),
  'garbled-outcome': invariant(
    'S15',
    'what is written of an attempt is what its handler ended with',
    outcomes.garbledOutcomes,
  ),
  'lost-act': invariant('S15', 'a job that was said to be cancelled is', losses.lostActs),
  'unasked-act': invariant(
    'S7',
    'what is cancelled or runs again somebody has asked for',
    losses.unaskedActs,
  ),
  'unexplained-row': invariant('S7', 'the tables hold what the last change left', run.unexplainedRows),
  'cross-talk': invariant('S16', 'jobs of another schema are left alone', run.crossTalk),
  'late-rescue': invariant(
    'L2',
    'while another worker is well, the claims of a lost one end within five leases',
    claims.lateRescues,
  ),
  'stuck-job': invariant('L1, L3', 'when the faults are over, every job comes to its end', run.stuckJobs),
  'slow-stop': invariant(
    'L4',
    'a worker that is asked to stop is gone in time, with exit code 0',
    run.slowStops,
  ),
  'process-died': invariant(
    'L5',
    'no process ends that nobody ended, and no error is left uncaught',
    run.diedProcesses,
  ),
  connections: invariant('R1', 'a process has no more connections than it needs', run.connections),
  deadlock: invariant('R4', 'there are no deadlocks', run.deadlocks),
} as const satisfies Record<string, Invariant>

/** The name of an invariant. */
export type InvariantName = keyof typeof INVARIANTS
