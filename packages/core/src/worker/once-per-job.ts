import type { Settlement } from './settlement.ts'

/**
 * Takes a batch apart so that no job is in a part twice: statements tell outcomes apart by the id of the job. Two claims of one
 * job end in the same process when it lost the first and made the second.
 */
export function oncePerJob(batch: readonly Settlement[]): readonly (readonly Settlement[])[] {
  const seen = new Set<string>()
  const first: Settlement[] = []
  const again: Settlement[] = []
  for (const settlement of batch) {
    const { id } = settlement.job
    ;(seen.has(id) ? again : first).push(settlement)
    seen.add(id)
  }
  return again.length === 0 ? [batch] : [first, ...oncePerJob(again)]
}
