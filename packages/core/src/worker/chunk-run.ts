import type { ClaimedJob } from '../job/job.ts'
import type { Attempt } from './attempt.ts'
import type { ChunkRunner, Handler } from './handler.ts'

/** What the runs of chunks need from the runner. */
export interface ChunkRunDeps {
  /** Begins an attempt. */
  readonly begin: (handler: Handler, job: ClaimedJob) => Attempt
  /** Runs and settles it, and tells when it has ended. Never rejects. */
  readonly process: (attempt: Attempt, onEnded: () => void) => Promise<void>
  /** Told when an attempt has ended. */
  readonly onEnded: (attempt: Attempt) => void
  /** Told of what a function threw when all of its jobs had their outcomes. */
  readonly onError: (error: unknown) => void
}

/** Runs a chunk: an attempt for each job, whose handler is to join the others. Resolves when all have ended, and the function too. */
export async function runChunk(
  { handler, runner, jobs }: { handler: Handler; runner: ChunkRunner; jobs: readonly ClaimedJob[] },
  deps: ChunkRunDeps,
): Promise<void> {
  const chunk = runner.open(jobs.length)
  const joining = { ...handler, run: chunk.join }
  const attempts = jobs.map((job) => deps.begin(joining, job))
  const processed = attempts.map((attempt) =>
    deps.process(attempt, () => {
      deps.onEnded(attempt)
      chunk.leave(attempt.job.id)
    }),
  )
  await Promise.all([chunk.ended.catch(deps.onError), ...processed])
}
