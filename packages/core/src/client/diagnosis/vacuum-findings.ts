import { enableAutovacuum, reindex, TURN_AUTOVACUUM_ON, vacuum, vacuumEarly } from '../../sql/remedies.ts'
import type { Tables } from '../../sql/statement.ts'
import type { ServerHealth, TableHealth } from '../../store/health-reader.ts'
import { counted, type Finding, inBytes, ok, orElse } from './finding.ts'

/** The tables whose rows come and go. */
const HOT = ['jobs_waiting', 'jobs_processing']
/** The scale factor that the migrations give them, and the one that is still fine. */
const SCALE_FACTOR = 0.01
const HIGHEST_SCALE_FACTOR = 0.05
/** Below these nothing is worth a word. */
const FEW_DEAD_ROWS = 50_000
const SMALL_BYTES = 64 * 1_048_576
/** So many times what the rows need may a table or an index take. */
const GENEROUS = 8
/** What an entry of an index takes, in bytes: a wide one. */
const INDEX_ENTRY_BYTES = 120

/** Whether vacuum runs, and early enough, on the tables that need it. */
export function autovacuumFindings(
  t: Tables,
  server: ServerHealth,
  tables: readonly TableHealth[],
): readonly Finding[] {
  const findings: Finding[] = []
  if (!server.autovacuum)
    findings.push({
      check: 'autovacuum',
      severity: 'problem',
      message: 'autovacuum is off on this server: dead rows stay for ever, and claims get slower and slower',
      fix: TURN_AUTOVACUUM_ON,
    })
  for (const table of tables) {
    const fix = settingsFix(t, table)
    if (fix !== undefined) findings.push({ check: 'autovacuum', ...fix })
  }
  return orElse(findings, ok('autovacuum', 'it is on, and early on the tables whose rows come and go'))
}

function settingsFix(
  t: Tables,
  { name, settings }: TableHealth,
): Pick<Finding, 'severity' | 'message' | 'fix'> | undefined {
  const setting = (key: string): string | undefined =>
    settings.find((text) => text.startsWith(`${key}=`))?.slice(key.length + 1)
  if (['false', 'off', 'no', '0'].includes(setting('autovacuum_enabled') ?? 'true'))
    return {
      severity: HOT.includes(name) ? 'problem' : 'warning',
      message: `autovacuum is off for ${name}`,
      fix: enableAutovacuum(t, name),
    }
  if (!HOT.includes(name)) return undefined
  const factor = setting('autovacuum_vacuum_scale_factor')
  if (factor !== undefined && Number(factor) <= HIGHEST_SCALE_FACTOR) return undefined
  return {
    severity: 'warning',
    message: `vacuum comes late to ${name}: autovacuum_vacuum_scale_factor is ${factor ?? 'the default of the server'}, and was ${SCALE_FACTOR} once`,
    fix: vacuumEarly(t, name, SCALE_FACTOR),
  }
}

/** What has died and was not removed, and what is much larger than its rows are. Sizes and counts are those of the statistics. */
export function bloatFindings(t: Tables, tables: readonly TableHealth[]): readonly Finding[] {
  const findings = tables.flatMap((table) => [
    ...deadRows(t, table),
    ...oversize(t, table),
    ...indexes(t, table),
  ])
  const total = tables.reduce(
    (sum, { bytes, indexes: own }) => sum + bytes + own.reduce((all, one) => all + one.bytes, 0),
    0,
  )
  return orElse(findings, ok('bloat', `none worth a word; the schema takes ${inBytes(total)}`))
}

function deadRows(t: Tables, { name, deadRows: dead, liveRows }: TableHealth): Finding[] {
  if (dead < FEW_DEAD_ROWS || dead < 2 * liveRows) return []
  return [
    {
      check: 'bloat',
      severity: 'warning',
      message: `${name} has ${dead} dead rows beside ${liveRows} live ones: vacuum does not keep up, or may not remove them`,
      fix: `if nothing holds the horizon back (see horizon): ${vacuum(t, name)}`,
    },
  ]
}

function oversize(t: Tables, { name, bytes, liveRows, rowBytes, deadRows: dead }: TableHealth): Finding[] {
  if (bytes < SMALL_BYTES || bytes < GENEROUS * (liveRows + dead) * rowBytes) return []
  return [
    {
      check: 'bloat',
      severity: 'note',
      message: `${name} takes ${inBytes(bytes)} for ${counted(liveRows, 'row')}: room that a backlog has left, and that the next one will use`,
      fix: `to give it back: ${vacuum(t, name)}; where that is not enough VACUUM FULL, which stops everything meanwhile`,
    },
  ]
}

function indexes(t: Tables, table: TableHealth): Finding[] {
  const rows = table.liveRows + table.deadRows
  return table.indexes.flatMap(({ name, bytes, valid }): Finding[] => {
    if (!valid)
      return [
        {
          check: 'bloat',
          severity: 'warning',
          message: `the index ${name} of ${table.name} is invalid: it costs every write and serves no read`,
          fix: `${reindex(t, name)}, or DROP INDEX CONCURRENTLY if its name ends in _ccnew`,
        },
      ]
    if (bytes < SMALL_BYTES || bytes < GENEROUS * rows * INDEX_ENTRY_BYTES) return []
    return [
      {
        check: 'bloat',
        severity: 'warning',
        message: `the index ${name} takes ${inBytes(bytes)} for ${counted(table.liveRows, 'row')}`,
        fix: reindex(t, name),
      },
    ]
  })
}
