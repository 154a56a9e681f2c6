import type { AuditAction, AuditEvent } from '../audit.ts'
import { readBody } from '../request-body.ts'
import { problem, problemOf } from '../responses.ts'
import { isFromOurPage } from '../same-origin.ts'
import type { Visit } from '../visit.ts'
import { reported } from './reported.ts'

/** What somebody wants, read from a request. */
export interface Wish {
  readonly action: AuditAction
  /** What it is done to, for the audit. */
  readonly target: Pick<AuditEvent, 'ids' | 'filter' | 'name'>
  /** Does it. It says how many jobs it has changed so far, and ends where that throws. */
  readonly work: (
    onProgress: (jobs: number) => void,
  ) => Promise<{ readonly jobs?: number; readonly response: Response }>
}

/**
 * Does something for somebody who may, and tells the audit: of what was done, of what failed, and of what somebody tried who may not.
 * Nothing of a request is read that our page has not sent. What takes long says how far it is, and ends when whoever wanted it has left.
 */
export async function act(
  visit: Visit,
  read: (body: Readonly<Record<string, unknown>>) => Wish,
): Promise<Response> {
  if (!isFromOurPage(visit.request)) return problem(403, 'This request was not sent by the dashboard.')
  const wish = read(await readBody(visit.request))
  if (visit.grant.access !== 'write') {
    await tell(visit, wish, { outcome: 'refused' })
    return problem(403, 'You may look, but not change anything.')
  }
  return reported((onProgress) => perform(visit, wish, onProgress))
}

/** Does it, and tells the audit. It never rejects. */
async function perform(visit: Visit, wish: Wish, onProgress: (jobs: number) => void): Promise<Response> {
  let soFar: number | undefined
  try {
    const { jobs, response } = await wish.work((changed) => {
      onProgress((soFar = changed))
      visit.request.signal.throwIfAborted()
    })
    await tell(visit, wish, { outcome: 'done', ...(jobs !== undefined && { jobs }) })
    return response
  } catch (error) {
    await tell(visit, wish, { outcome: 'failed', error, ...(soFar !== undefined && { jobs: soFar }) })
    const response = problemOf(error)
    if (response.status >= 500 && !visit.request.signal.aborted)
      visit.pgq.events.emit('error', { where: 'the dashboard', error })
    return response
  }
}

/** What is done is done: an audit that fails is told as an error of the queue. */
async function tell(
  visit: Visit,
  { action, target }: Wish,
  end: Pick<AuditEvent, 'outcome' | 'jobs' | 'error'>,
): Promise<void> {
  try {
    await visit.settings.audit({ action, actor: visit.grant.actor, ...target, ...end })
  } catch (error) {
    visit.pgq.events.emit('error', { where: 'the audit of the dashboard', error })
  }
}
