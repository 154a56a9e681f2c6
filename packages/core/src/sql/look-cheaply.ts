import type { Statement } from './statement.ts'

/**
 * For the rest of a transaction: no plan that reads or sorts a whole table where an index gives the order, whatever the statistics say,
 * and an end to whatever takes too long.
 */
export const lookCheaply: Statement<{ readonly timeoutMs: number }, unknown> = {
  name: 'look cheaply',
  text: `
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true),
       set_config('jit', 'off', true), set_config('statement_timeout', $1::text, true)`,
  values: ({ timeoutMs }) => [String(timeoutMs)],
}
