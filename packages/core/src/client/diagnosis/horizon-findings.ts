import { dropSlot, endSession, rollBackPrepared } from '../../sql/remedies.ts'
import type { HorizonHolder, ServerHealth } from '../../store/health-reader.ts'
import { counted, type Finding, inWords, ok, orElse } from './finding.ts'

/** What has no time that is known counts from so many transactions on. */
const MANY_TRANSACTIONS = 100_000
/** So many times longer than allowed is a problem. */
const FAR_TOO_LONG = 12

/** Who keeps dead rows from being removed, for longer than `longMs`. */
export function horizonFindings(
  server: ServerHealth,
  holders: readonly HorizonHolder[],
  longMs: number,
): readonly Finding[] {
  const findings = holders.filter((holder) => isLong(holder, longMs)).map((holder) => finding(holder, longMs))
  const fine = ok('horizon', `nothing has held it for ${inWords(longMs)}: dead rows can be removed`)
  if (server.seesAll) return orElse(findings, fine)
  return [
    ...findings,
    {
      check: 'horizon',
      severity: 'note',
      message: 'this role may not see what the sessions of others do, so somebody may hold it back unseen',
      fix: 'GRANT pg_read_all_stats TO the role that runs the diagnosis',
    },
  ]
}

function isLong({ heldMs, transactions }: HorizonHolder, longMs: number): boolean {
  return heldMs === null ? transactions >= MANY_TRANSACTIONS : heldMs >= longMs
}

function finding(holder: HorizonHolder, longMs: number): Finding {
  const { heldMs, transactions } = holder
  const isBad = heldMs === null ? transactions >= 100 * MANY_TRANSACTIONS : heldMs >= FAR_TOO_LONG * longMs
  const since = heldMs === null ? counted(transactions, 'transaction') : inWords(heldMs)
  return {
    check: 'horizon',
    severity: isBad ? 'problem' : 'warning',
    message: `${describe(holder)} has held it back for ${since}: no row that has died since can be removed`,
    fix: fix(holder),
  }
}

function describe({ kind, name, owner, state, query }: HorizonHolder): string {
  const by = owner ? ` (${owner})` : ''
  switch (kind) {
    case 'session':
      return `the session ${name}${by}, ${state ?? 'in an unknown state'}, last query ${JSON.stringify(query?.replaceAll(/\s+/g, ' ').trim() ?? '')},`
    case 'standby':
      return `a standby with hot_standby_feedback${by}, by the WAL sender ${name},`
    case 'prepared':
      return `the prepared transaction ${JSON.stringify(name)}${by}`
    case 'slot':
      return `the replication slot ${JSON.stringify(name)}, ${state},`
  }
}

function fix({ kind, name }: HorizonHolder): string {
  switch (kind) {
    case 'session':
      return `end its transaction, or ${endSession(name)}; idle_in_transaction_session_timeout and statement_timeout prevent the next one`
    case 'standby':
      return 'end the long query on the standby, or turn hot_standby_feedback off there'
    case 'prepared':
      return `end it: ${rollBackPrepared(name)}, or COMMIT PREPARED`
    case 'slot':
      return `bring its consumer back, or ${dropSlot(name)}`
  }
}
