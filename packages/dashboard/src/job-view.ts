import type { Explanation, JobRecord } from '@pgq/core'
import type { WireAttempt, WireJob, WireJobSummary, WireReason } from './wire.ts'

/** How much of a payload and an error a list shows, in characters. */
const LIST_CHARACTERS = 200
/** How much of a payload, a result or progress a job's page shows, in characters. */
const PAGE_CHARACTERS = 200_000

/** A job in a list. */
export function jobSummary(job: JobRecord): WireJobSummary {
  return {
    id: job.id,
    queue: job.queue,
    status: job.status,
    attempts: job.attempts,
    maxAttempts: job.maxAttempts,
    priority: job.priority,
    createdAt: job.createdAt.getTime(),
    scheduledFor: job.scheduledFor.getTime(),
    startedAt: job.startedAt?.getTime() ?? null,
    completedAt: job.completedAt?.getTime() ?? null,
    error: job.error === null ? null : cut(job.error, LIST_CHARACTERS),
    payload: cut(JSON.stringify(job.payload) ?? '', LIST_CHARACTERS),
  }
}

/** A job on its page. */
export function jobView(job: JobRecord): WireJob {
  return {
    ...jobSummary(job),
    error: job.error,
    fence: job.fence,
    uniqueKey: job.uniqueKey,
    group: job.group ?? null,
    lockedBy: job.lockedBy,
    payloadJson: pretty(job.payload),
    resultJson: job.result === null ? null : pretty(job.result),
    progressJson: job.progress === null ? null : pretty(job.progress),
    metadataJson: Object.keys(job.metadata).length === 0 ? null : pretty(job.metadata),
    errors: job.errors.map(attemptOf),
  }
}

/** What keeps a job from running, or where it runs. Errors are left out: they are shown with the job, which may be redacted. */
export function reasonsOf(explained: Explanation | null): WireReason[] {
  if (explained === null || explained.state === 'ended') return []
  return explained.reasons.map((reason) => ({
    code: reason.code,
    message:
      reason.code === 'retry_later'
        ? `attempt ${reason.attempts} of ${reason.maxAttempts} failed, and the next is not due yet`
        : reason.message,
    until: 'until' in reason && reason.until instanceof Date ? reason.until.getTime() : null,
    heldBy: 'heldBy' in reason ? reason.heldBy : [],
  }))
}

/** Anything may stand there that somebody wrote by hand. */
function attemptOf(error: unknown): WireAttempt {
  const { attempt, at, name, message, stack } = (error ?? {}) as Record<string, unknown>
  const atMs = Date.parse(textOf(at))
  return {
    attempt: Number(attempt ?? 0) || 0,
    at: Number.isNaN(atMs) ? null : atMs,
    name: textOf(name) || 'Error',
    message: textOf(message),
    stack: textOf(stack) || null,
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const pretty = (value: unknown): string => cut(JSON.stringify(value, null, 2) ?? '', PAGE_CHARACTERS)
const cut = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length).toWellFormed()}…` : text
