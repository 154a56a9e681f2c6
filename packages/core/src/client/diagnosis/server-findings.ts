import type { ServerHealth } from '../../store/health-reader.ts'
import { type Finding, inWords, ok, orElse } from './finding.ts'

/** The oldest PostgreSQL that is supported. */
const OLDEST_MAJOR = 14

/** What the settings of the server do to the promises. */
export function serverFindings(server: ServerHealth): readonly Finding[] {
  const findings: Finding[] = []
  const add = (severity: Finding['severity'], message: string, fix: string): void =>
    void findings.push({ check: 'server', severity, message, fix })
  if (server.isStandby)
    add(
      'problem',
      'this server is a standby, which accepts no writes',
      'connect to the primary: target_session_attrs=read-write',
    )
  if (server.major < OLDEST_MAJOR)
    add(
      'problem',
      `PostgreSQL ${server.major} is older than what pgq works with`,
      `upgrade to PostgreSQL ${OLDEST_MAJOR} or newer`,
    )
  if (!server.fsync)
    add(
      'problem',
      'fsync is off: a crash of the machine can destroy the whole database',
      'set fsync = on and restart the server',
    )
  if (server.synchronousCommit === 'off')
    add(
      'warning',
      'synchronous_commit is off for this role: a crash of the server loses jobs that were enqueued a moment before',
      'ALTER ROLE … RESET synchronous_commit, or set it to on where you enqueue',
    )
  return orElse(findings, ok('server', `PostgreSQL ${server.major}, durable`))
}

/** What the clocks have to do with each other: the time between them, and how exactly it is known. */
export interface ClockDifference {
  /** How far the database's clock is ahead of this machine's, in ms. */
  readonly aheadMs: number
  /** Half of the shortest round trip: it may be off by so much. */
  readonly withinMs: number
}

/** Below this nobody cares, in ms. */
const CLOCK_TOLERANCE_MS = 1_000

export function clockFindings({ aheadMs, withinMs }: ClockDifference): readonly Finding[] {
  const least = Math.abs(aheadMs) - withinMs
  if (least <= CLOCK_TOLERANCE_MS) {
    const most = Math.ceil(Math.abs(aheadMs) + withinMs)
    return [ok('clock', `the clocks of the database and of this machine differ by ${most} ms at most`)]
  }
  return [
    {
      check: 'clock',
      severity: 'warning',
      message: `the clock of the database is ${inWords(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's: pgq goes by the database's, so a scheduledFor that is worked out here is off by as much`,
      fix: 'let NTP set the clocks of both; until then give a delay rather than a scheduledFor',
    },
  ]
}

/** What a pooler in between means. */
export function poolerFindings(isShared: boolean): readonly Finding[] {
  if (!isShared)
    return [
      ok(
        'pooler',
        'two connections are answered by two processes: no pooler shares them, so notifications work',
      ),
    ]
  return [
    {
      check: 'pooler',
      severity: 'note',
      message:
        'a pooler in transaction mode is in between: everything works, but there are no notifications, and idle workers find new jobs by polling',
      fix: 'for the lowest latency give workers a connection string that leads directly to PostgreSQL; otherwise a shorter pollInterval',
    },
  ]
}
