/** What the exit code of `pgq` means. They are stable. */
export const EXIT = {
  /** It is done; what was looked at is well. */
  done: 0,
  /** It could not be done: the database is away, or said no. */
  failed: 1,
  /** The command line is wrong, and nothing was done. */
  usage: 2,
  /** It was looked at, and the answer is no: unhealthy, not up to date, no such job. */
  no: 3,
  /** Nothing was changed, because nobody confirmed it. */
  notConfirmed: 4,
  /** Ctrl-C. What had been done until then stays. */
  interrupted: 130,
} as const

/** One of the exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The command line is wrong in a way that only the command can tell. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What the help says of them. */
export const EXIT_CODES_HELP = `Exit codes:
  0    done; what was looked at is well
  1    failed: the database is away, or said no
  2    the command line is wrong
  3    the answer is no: unhealthy, not up to date, no such job
  4    not confirmed, so nothing was changed
  130  interrupted`
