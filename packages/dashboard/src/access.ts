import { PgqError } from '@pgq/core'
import { show } from '@pgq/core/options'

/** What somebody may do: nothing, look, or look and act. */
export type Access = 'none' | 'read' | 'write'

/** Who somebody is, and what they may do. */
export interface Grant {
  readonly access: Access
  /** Who it is, for the audit events. @default none */
  readonly actor?: string
}

/** What `authorize` may answer. A `Response`, such as a redirect to the login, is sent as it is. */
export type Authorization = Access | Grant | Response

/**
 * Reads an answer of `authorize`. Anything that is not clearly a yes is an error, and an error lets nobody in.
 * @throws PgqError INVALID_OPTION
 */
export function grantOf(answer: unknown): Grant {
  const grant = typeof answer === 'string' ? { access: answer } : answer
  if (typeof grant === 'object' && grant !== null && 'access' in grant) {
    const { access, actor } = grant as Grant
    if (access === 'none' || access === 'read' || access === 'write')
      return { access, ...(actor !== undefined && { actor }) }
  }
  throw new PgqError(
    'INVALID_OPTION',
    `authorize answered ${show(answer)}: it must be 'none', 'read' or 'write', { access, actor }, or a Response`,
  )
}
