import type { AuditAction, AuditEvent } from '../audit.ts'
import { readBody } from '../request-body.ts'
import { problem } from '../responses.ts'
import { isFromOurPage } from '../same-origin.ts'
import type { Visit } from '../visit.ts'

/** What somebody wants, read from a request. */
export interface Wish {
  readonly action: AuditAction
  /** What it is done to, for the audit. */
  readonly target: Pick<AuditEvent, 'ids' | 'filter' | 'name'>
  readonly work: () => Promise<{ readonly jobs?: number; readonly response: Response }>
}

/**
 * Does something for somebody who may, and tells the audit: of what was done, of what failed, and of what somebody tried who may not.
 * Nothing of a request is read that our page has not sent.
 */
export async function act(
  visit: Visit,
  read: (body: Readonly<Record<string, unknown>>) => Wish,
): Promise<Response> {
  if (!isFromOurPage(visit.request)) return problem(403, 'This request was not sent by the dashboard.')
  const { action, target, work } = read(await readBody(visit.request))
  const event = { action, actor: visit.grant.actor, ...target }
  if (visit.grant.access !== 'write') {
    await tell(visit, { ...event, outcome: 'refused' })
    return problem(403, 'You may look, but not change anything.')
  }
  try {
    const { jobs, response } = await work()
    await tell(visit, { ...event, outcome: 'done', ...(jobs !== undefined && { jobs }) })
    return response
  } catch (error) {
    await tell(visit, { ...event, outcome: 'failed', error })
    throw error
  }
}

/** What is done is done: an audit that fails is told as an error of the queue. */
async function tell(visit: Visit, event: AuditEvent): Promise<void> {
  try {
    await visit.settings.audit(event)
  } catch (error) {
    visit.pgq.events.emit('error', { where: 'the audit of the dashboard', error })
  }
}
