import type { JobRecord, Pgq } from '@pgq/core'
import { until } from '@pgq/test-support'

/** The job, once an attempt of it has ended: it is completed, dead, cancelled, or waits for another one. */
export function settled(pgq: Pgq, id: string): Promise<JobRecord> {
  return until(`job ${id} is settled`, async () => {
    const job = await pgq.get(id)
    return job && job.status !== 'processing' && (job.status !== 'pending' || job.attempts > 0) && job
  })
}
