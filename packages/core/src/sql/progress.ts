import { type Claim, claimValues, heldClaims } from './held-claims.ts'
import type { Statement, Tables } from './statement.ts'

/** Stores the progress of one claimed job. Returns nothing when the claim was lost. */
export const storeProgress = (
  t: Tables,
): Statement<{ readonly claim: Claim; readonly progress: string }, { readonly id: string }> => ({
  name: 'store progress',
  text: `
WITH ${heldClaims(t)}
UPDATE ${t.processing} AS job
SET progress = $4::jsonb
WHERE job.ctid = ANY (ARRAY(SELECT tid FROM held))
RETURNING job.id`,
  values: ({ claim, progress }) => [...claimValues([claim]), progress],
})
