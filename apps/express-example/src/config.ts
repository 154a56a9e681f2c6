/** What the process is told by its environment and its arguments. */
export interface Config {
  /** Undefined: an embedded PostgreSQL, which is gone with the process. */
  readonly databaseUrl: string | undefined
  /** 0 takes any that is free. */
  readonly port: number
  /** Whether it serves the API, and whether it runs jobs. */
  readonly api: boolean
  readonly worker: boolean
  /** Whose key it is, by key. A stand-in for the log-in that you have. */
  readonly users: ReadonlyMap<string, string>
  /** How long a month of a report takes, in ms: the demo's reports would be done at once otherwise. */
  readonly monthMs: number
  /** After how long without a sign of life the jobs of a worker are taken back, in ms. */
  readonly leaseMs: number
}

/** Reads the configuration, and says what is wrong with it. */
export function readConfig(env: NodeJS.ProcessEnv, args: readonly string[]): Config {
  const unknown = args.find((argument) => argument !== '--api' && argument !== '--worker')
  if (unknown !== undefined) throw new Error(`unknown argument ${unknown}: there are --api and --worker`)
  const all = args.length === 0 || (args.includes('--api') && args.includes('--worker'))
  if (!all && !env['DATABASE_URL']) {
    throw new Error(
      `${args[0]} needs DATABASE_URL: nobody else could reach a database that this process starts`,
    )
  }
  return {
    databaseUrl: env['DATABASE_URL'] || undefined,
    port: wholeNumber(env, 'PORT', 3_000),
    api: all || args.includes('--api'),
    worker: all || args.includes('--worker'),
    users: usersOf(env['API_KEYS'] ?? 'ada-key:ada,bob-key:bob'),
    monthMs: wholeNumber(env, 'MONTH_MS', 500),
    leaseMs: wholeNumber(env, 'LEASE_MS', 9_000),
  }
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name] ?? ''
  if (text === '') return fallback
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new Error(`${name} is ${JSON.stringify(text)}: it must be a whole number`)
}

function usersOf(list: string): Map<string, string> {
  const users = new Map<string, string>()
  for (const entry of list.split(',')) {
    const [key, user] = entry.split(':')
    if (!key || !user) throw new Error('API_KEYS must be a list such as key:user,other-key:other-user')
    users.set(key, user)
  }
  return users
}
