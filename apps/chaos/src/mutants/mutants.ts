import { UsageError } from '../arguments.ts'
import type { Mutant } from './mutant.ts'

const HELD = `WHERE job.id = claim.id AND job.fence = claim.fence AND job.locked_by = coalesce(claim.worker_id, ($3::uuid[])[1])
    LIMIT 1`
const ASYNC = `PERFORM set_config('synchronous_commit', 'off', true);`

/** The ways in which the package is broken on purpose. M1 to M16 are those of the research; the others came with the code. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no-fence',
    breaks: 'M1: an outcome is accepted for a job, whoever holds it now',
    patches: [{ file: 'sql/held-claims', find: HELD, replace: 'WHERE job.id = claim.id\n    LIMIT 1' }],
    scenario: 'zombie',
    violates: ['unearned-outcome', 'lost-outcome'],
  },
  {
    name: 'worker-fence',
    breaks: 'M2: the worker is the fence; it may hold a later claim of the same job',
    patches: [{ file: 'sql/held-claims', find: 'AND job.fence = claim.fence ', replace: '', which: 'all' }],
    scenario: 'revived',
    violates: ['unearned-outcome', 'lost-outcome', 'double-outcome'],
  },
  {
    name: 'attempt-fence',
    breaks: 'M3: the attempt is the fence, and a snooze gives attempts back',
    patches: [
      { file: 'sql/claim-jobs', find: `fence: 'fence + 1'`, replace: `fence: 'attempts + 1'` },
      { file: 'sql/settle-waiting', find: `fence: 'fence + 1'`, replace: `fence: 'attempts'` },
    ],
    scenario: 'life',
    violates: ['fence-order'],
  },
  {
    name: 'rescue-without-recheck',
    breaks: 'M4: jobs are taken from a worker that was late once, without a second look (river #1302)',
    patches: [
      {
        file: 'sql/rescue-jobs',
        find: 'WHERE worker.lost_at IS NOT NULL',
        replace: 'WHERE worker.lost_at IS NOT NULL OR worker.suspect_since IS NOT NULL',
      },
    ],
    scenario: 'suspicion',
    violates: ['early-rescue'],
  },
  {
    name: 'unfenced-heartbeat',
    breaks: 'M5: a worker that was declared lost renews its lease, and never learns of it',
    patches: [
      {
        file: 'sql/workers',
        find: 'WHERE id = $1 AND lost_at IS NULL\nRETURNING id',
        replace: 'WHERE id = $1\nRETURNING id',
      },
    ],
    scenario: 'zombie',
    violates: ['stuck-job'],
  },
  {
    name: 'unfenced-progress',
    breaks: 'M5: progress is written whoever holds the job now',
    patches: [
      {
        file: 'sql/progress',
        find: 'WHERE job.ctid = ANY (ARRAY(SELECT tid FROM held))',
        replace: 'WHERE job.id = ANY ($1::uuid[])',
      },
    ],
    scenario: 'zombie',
    violates: ['stale-write'],
  },
  {
    name: 'completion-outside',
    breaks: 'M6: the completion of a transactional handler commits beside its transaction',
    patches: [
      {
        file: 'worker/transactional',
        find: 'store.settleCompleted(session,',
        replace: 'store.settleCompleted(database,',
      },
      {
        file: 'worker/transactional',
        find: '{ store, forgiveness }',
        replace: '{ database, store, forgiveness }',
      },
    ],
    scenario: 'lost-commit',
    violates: ['transactional-effects'],
  },
  {
    name: 'attempt-on-failure',
    breaks: 'M7: an attempt is counted when it fails, so that one that kills its process never ends',
    patches: [
      { file: 'sql/claim-jobs', find: `attempts: 'attempts + 1'`, replace: `attempts: 'attempts'` },
      { file: 'sql/settle-waiting', find: 'ELSE attempts END', replace: 'ELSE attempts + 1 END' },
    ],
    scenario: 'life',
    violates: ['attempts'],
  },
  {
    name: 'claim-overrun',
    breaks: 'M8: a claim takes more than it asked for',
    patches: [{ file: 'sql/claim-jobs', find: 'LIMIT want.slots', replace: '', which: 'all' }],
    scenario: 'small-room',
    violates: ['hoarding'],
  },
  {
    name: 'client-clock',
    breaks: 'M9: leases end by the clock of the client (BullMQ on PostgreSQL)',
    patches: [
      {
        file: 'sql/workers',
        find: `lease_until = clock_timestamp() + $2::float8 * interval '1 ms'`,
        replace: 'lease_until = to_timestamp($2::float8 / 1000)',
      },
      {
        file: 'sql/workers',
        find: 'values: ({ id, leaseMs, listening }) => [id, leaseMs, listening]',
        replace: 'values: ({ id, leaseMs, listening }) => [id, Date.now() + leaseMs, listening]',
      },
    ],
    scenario: 'slow-clock',
    violates: ['early-rescue'],
  },
  {
    name: 'no-polling',
    breaks: 'M10: without a notification nobody looks for jobs',
    patches: [
      { file: 'worker/claimer', find: 'return jittered(this.#deps.pollMs);', replace: 'return 1e9;' },
      { file: 'worker/claimer', find: 'return jittered(waitMs);', replace: 'return 1e9;' },
    ],
    scenario: 'deaf',
    violates: ['stuck-job'],
  },
  {
    name: 'unsorted-batch',
    breaks: 'M11: rows are locked in the order in which they were named',
    patches: [{ file: 'client/controller', find: '.toSorted()', replace: '' }],
    scenario: 'crossing-batches',
    violates: ['deadlock'],
  },
  {
    name: 'enqueue-again',
    breaks: 'M12: an enqueue whose answer was lost is sent again, under a new id',
    patches: [
      {
        file: 'client/shared-enqueues',
        find: '            // One job',
        replace: `            if (isRetryable(error)) return this.#write(waiting.map((one) => ({ ...one, job: { ...one.job, id: crypto.randomUUID() } })), patienceMs);
            // One job`,
      },
    ],
    scenario: 'lost-answer',
    violates: ['double-enqueue'],
  },
  {
    name: 'no-error-listener',
    breaks: 'M13: nobody listens to the errors of a connection that is in use',
    patches: [
      { file: 'store/pg-database', find: `pool.on('connect', listenToErrors);`, replace: '' },
      { file: 'store/pg-database', find: `client.on('error', onError);`, replace: '' },
    ],
    scenario: 'cut-transaction',
    violates: ['process-died'],
  },
  {
    name: 'settle-nothing',
    breaks: 'M14: a settle that changed no row is told as accepted (River, JobCompleteTx)',
    patches: [
      { file: 'sql/settle-completed', find: 'count(*) < cardinality($1::uuid[])', replace: 'count(*) < 0' },
    ],
    scenario: 'zombie',
    violates: ['lost-outcome'],
  },
  {
    name: 'pruned-worker',
    breaks: 'M15: the row of a lost worker is deleted before its jobs are taken back (procrastinate #1518)',
    patches: [
      {
        file: 'sql/workers',
        find: 'UPDATE ${t.workers}\nSET lost_at = clock_timestamp(), listening = false\nWHERE',
        replace: 'DELETE FROM ${t.workers}\nWHERE',
      },
      { file: 'maintenance/rescuer', find: 'await this.#adoptOrphans();', replace: '' },
    ],
    scenario: 'dead-worker',
    violates: ['stuck-job'],
  },
  {
    name: 'raw-error-text',
    breaks: 'M16: the text of an error is sent as it is, also when PostgreSQL cannot store it',
    patches: [
      {
        file: 'job/recorded',
        find: `return value.toWellFormed().replaceAll('\\0', '\\uFFFD');`,
        replace: 'return value;',
      },
    ],
    scenario: 'life',
    violates: ['garbled-outcome', 'stuck-job'],
  },
  {
    name: 'settle-by-status',
    breaks: 'whatever is processing can be completed by anybody (procrastinate, pgmq)',
    patches: [
      {
        file: 'sql/settle-completed',
        find: 'WHERE job.ctid = ANY (ARRAY(SELECT tid FROM held))',
        replace: `WHERE job.id = ANY ($1::uuid[]) AND job.status = 'processing'`,
      },
    ],
    scenario: 'zombie',
    violates: ['unearned-outcome'],
  },
  {
    name: 'host-heartbeat',
    breaks: 'a living process renews the lease of a dead one on the same host',
    patches: [
      {
        file: 'sql/workers',
        find: 'WHERE id = $1 AND lost_at IS NULL\nRETURNING id',
        replace:
          'WHERE hostname = (SELECT self.hostname FROM ${t.workers} AS self WHERE self.id = $1) AND lost_at IS NULL\nRETURNING id',
      },
    ],
    scenario: 'dead-worker',
    violates: ['stuck-job'],
  },
  {
    name: 'rescue-keeps-fence',
    breaks: 'a rescue leaves the fence as it was',
    patches: [{ file: 'sql/rescue-jobs', find: `fence: 'fence + 1'`, replace: `fence: 'fence'` }],
    scenario: 'dead-worker',
    violates: ['fence-order'],
  },
  {
    name: 'cancel-keeps-fence',
    breaks: 'a cancel leaves the fence as it was',
    patches: [{ file: 'sql/control-jobs', find: `fence: 'fence + 1'`, replace: `fence: 'fence'` }],
    scenario: 'cancelled',
    violates: ['unearned-outcome'],
  },
  {
    name: 'endless-attempts',
    breaks: 'a rescue runs jobs again that have no attempt left',
    patches: [
      { file: 'sql/rescue-jobs', find: 'WHERE attempts < max_attempts', replace: 'WHERE true' },
      { file: 'sql/rescue-jobs', find: 'WHERE attempts >= max_attempts', replace: 'WHERE false' },
    ],
    scenario: 'dead-worker',
    violates: ['attempts'],
  },
  {
    name: 'early-claim',
    breaks: 'jobs are claimed before they are due',
    patches: [{ file: 'sql/claim-jobs', find: 'AND job.scheduled_for <= now()', replace: '' }],
    scenario: 'life',
    violates: ['early-run'],
  },
  {
    name: 'unordered-claim',
    breaks: 'the youngest job is claimed first',
    patches: [
      {
        file: 'sql/claim-jobs',
        find: 'ORDER BY job.scheduled_for, job.id\n      LIMIT',
        replace: 'ORDER BY job.scheduled_for DESC, job.id DESC\n      LIMIT',
      },
    ],
    scenario: 'small-room',
    violates: ['claim-order'],
  },
  {
    name: 'key-not-held',
    breaks: 'a unique key that another job holds is given out again',
    patches: [{ file: 'migrations/0002-enqueue', find: 'RETURN held.job_id;', replace: 'RETURN NULL;' }],
    scenario: 'same-key',
    violates: ['unique-key'],
  },
  {
    name: 'lazy-enqueue',
    breaks: 'an enqueue is acknowledged before it is on the disk',
    patches: [
      {
        file: 'migrations/0002-enqueue',
        find: 'IF transaction_id IS NOT NULL',
        replace: `${ASYNC}\n  IF transaction_id IS NOT NULL`,
        which: 'all',
      },
    ],
    scenario: 'crash-after-enqueue',
    violates: ['lost-job'],
  },
  {
    name: 'lazy-settle',
    breaks: 'an outcome is told of before it is on the disk',
    patches: [
      {
        file: 'migrations/0005-hot-statements',
        find: 'BEGIN\n  ${settleCompletedText',
        replace: `BEGIN\n  ${ASYNC}\n  \${settleCompletedText`,
      },
    ],
    scenario: 'crash-after-settle',
    violates: ['lost-outcome', 'double-outcome'],
  },
  {
    name: 'uncounted-queue',
    breaks: 'what runs already does not count against the limit of its queue',
    patches: [
      {
        file: 'sql/claim-limited',
        find: 'WHERE job.limited AND job.queue_name = wanted_queue LIMIT',
        replace: 'WHERE false LIMIT',
      },
    ],
    scenario: 'limited',
    violates: ['over-limit'],
  },
  {
    name: 'uncounted-group',
    breaks: 'what runs already does not count against the limit of its group',
    patches: [
      {
        file: 'sql/claim-limited',
        find: 'WHERE job.limited AND job.queue_name = wanted_queue AND job.group_key = key.name',
        replace: 'WHERE false',
      },
    ],
    scenario: 'limited',
    violates: ['over-limit'],
  },
  {
    name: 'unpaid-rate',
    breaks: 'what has begun is not paid for',
    patches: [
      {
        file: 'sql/claim-limited',
        find: 'IF step IS NOT NULL AND cardinality(ids) > 0 THEN',
        replace: 'IF false THEN',
      },
    ],
    scenario: 'paced',
    violates: ['over-rate'],
  },
  {
    name: 'unpaid-group-rate',
    breaks: 'what a group has begun is not paid for',
    patches: [
      {
        file: 'sql/claim-limited',
        find: 'IF group_step IS NOT NULL AND cardinality(ids) > 0 THEN',
        replace: 'IF false THEN',
      },
    ],
    scenario: 'paced',
    violates: ['over-rate'],
  },
  {
    name: 'unheeded-hold',
    breaks: 'a group that a handler has held back goes on',
    patches: [
      {
        file: 'sql/claim-limited',
        find: 'greatest(due.blocked_until,',
        replace: 'greatest(NULL::timestamptz,',
      },
    ],
    scenario: 'held-back',
    violates: ['claimed-while-held-back'],
  },
  {
    name: 'unheeded-pause',
    breaks: 'a pause is told as done, and workers go on',
    patches: [
      { file: 'sql/claim-limited', find: 'IF rule.paused_at IS NOT NULL THEN', replace: 'IF false THEN' },
    ],
    scenario: 'paused',
    violates: ['claimed-while-paused'],
  },
  {
    name: 'mixed-up-chunk',
    breaks: 'the jobs of a chunk get the results of others',
    patches: [
      {
        file: 'worker/chunk',
        find: 'member.resolve(list?.[index])',
        replace: 'member.resolve(list?.at(-1 - index))',
      },
    ],
    scenario: 'chunk',
    violates: ['garbled-outcome'],
  },
  {
    name: 'late-rescuer',
    breaks: 'the jobs of a lost worker are looked for every twenty seconds',
    patches: [{ file: 'maintenance/rescuer', find: 'return leaseMs / 9', replace: 'return 20000' }],
    scenario: 'dead-worker',
    violates: ['late-rescue'],
  },
  {
    name: 'given-away',
    breaks: 'a worker that is not sure of a claim gives back what it runs, too',
    patches: [{ file: 'worker/claimer', find: '[...runner.ids(), ...settler.ids()]', replace: '[]' }],
    scenario: 'in-doubt',
    violates: ['unearned-outcome'],
  },
  {
    name: 'overlap',
    breaks: 'a job that should wait behind one with the same key is claimed beside it',
    patches: [
      { file: 'sql/take-key-by-rules', find: 'behind := ahead IS NOT NULL;', replace: 'behind := false;' },
    ],
    scenario: 'serial',
    violates: ['unique-key'],
  },
  {
    name: 'forgotten-period',
    breaks: 'a completed job does not hold its key for its period',
    patches: [
      {
        file: 'sql/take-key-by-rules',
        find: 'IF status IS NULL AND held.kept THEN RETURN; END IF;',
        replace: '',
      },
    ],
    scenario: 'periodic',
    violates: ['unique-key'],
  },
  {
    name: 'second-tick',
    breaks: 'two leaders, and who runs a tick does not look whether somebody else has',
    patches: [
      { file: 'sql/leader', find: 'other.lease_until > clock_timestamp()', replace: 'false' },
      { file: 'sql/leader', find: 'OR leader.lease_until <= clock_timestamp()', replace: 'OR true' },
      {
        file: 'migrations/0006-schedules',
        find: "AND (extract(epoch FROM known.next_at) * 1000000)::bigint IS NOT DISTINCT FROM (plan ->> 'seen_us')::bigint",
        replace: '',
      },
      {
        file: 'migrations/0006-schedules',
        find: 'FOR NO KEY UPDATE SKIP LOCKED',
        replace: 'FOR NO KEY UPDATE',
      },
    ],
    scenario: 'ticking',
    violates: ['tick-once'],
  },
]

/**
 * The mutant of a name.
 * @throws UsageError
 */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((known) => known.name === name)
  if (mutant) return mutant
  throw new UsageError(`unknown mutant ${name}: there are ${MUTANTS.map((known) => known.name).join(', ')}`)
}
