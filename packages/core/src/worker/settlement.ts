import type { ClaimedJob } from '../job/job.ts'
import type { Transition } from '../job/transition.ts'
import type { Claim } from '../sql/held-claims.ts'
import type { CompletedChange, EndedChange, WaitingChange } from '../store/job-store.ts'

/** The end of one attempt, to be written. */
export interface Settlement {
  readonly job: ClaimedJob
  readonly workerId: string
  readonly transition: Transition
  readonly durationMs: number
}

/** The claim that it was made under. */
export const claimOf = ({ job, workerId }: Pick<Settlement, 'job' | 'workerId'>): Claim => ({
  id: job.id,
  fence: job.fence,
  workerId,
})

/** Sorts a batch by the statement that writes it. */
export function changesOf(batch: readonly Settlement[]): {
  completed: CompletedChange[]
  ended: EndedChange[]
  waiting: WaitingChange[]
} {
  const completed: CompletedChange[] = []
  const ended: EndedChange[] = []
  const waiting: WaitingChange[] = []
  for (const settlement of batch) {
    const { job, workerId, transition } = settlement
    if (transition.to === 'completed') {
      completed.push({ id: job.id, fence: job.fence, workerId, result: transition.result })
      continue
    }
    const claim = claimOf(settlement)
    if (transition.to === 'dead' || transition.to === 'cancelled')
      ended.push({ ...claim, status: transition.to, error: transition.error })
    else if (transition.to === 'failed')
      waiting.push({ ...claim, status: 'failed', delayMs: transition.delayMs, error: transition.error })
    else
      waiting.push({
        ...claim,
        status: 'pending',
        ...(transition.delayMs !== undefined && { delayMs: transition.delayMs }),
      })
  }
  return { completed, ended, waiting }
}

/** The same ending with nothing in it that the database could refuse; undefined when there is nothing left to leave out. */
export function withoutDetails(settlement: Settlement): Settlement | undefined {
  const { transition } = settlement
  const problem = 'the database refused to store the result'
  if (transition.to === 'completed') {
    return transition.result.json === null
      ? undefined
      : { ...settlement, transition: { to: 'completed', result: { json: null, problem } } }
  }
  if (transition.to === 'pending' || transition.error.name === 'Unstorable') return undefined
  const error = { name: 'Unstorable', message: 'the database refused to store the error' }
  return { ...settlement, transition: { ...transition, error } }
}

/** How much text the result of an attempt is. */
export const resultLength = ({ transition }: Settlement): number =>
  transition.to === 'completed' ? (transition.result.json?.length ?? 0) : 0
