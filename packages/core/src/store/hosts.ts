import pg from 'pg'
import { PgqError, show } from '../errors.ts'
import { IS_READ_ONLY } from '../sql/read-only.ts'
import { destroyConnection } from './destroy-connection.ts'

/** The scheme and the user, the hosts, and the rest of a connection string. */
const PARTS = /^(postgres(?:ql)?:\/\/(?:[^@/]*@)?)([^/?]*)(.*)$/s
/** What can be wished for: a queue is of no use on a standby. */
const SESSION_ATTRS = ['read-write', 'primary']
/** How long one host may take to say whether it takes writes, in ms. */
const ANSWER_MS = 5_000

/**
 * A connection string with several hosts as one for each of them, in their order; one with a single host as it is.
 * @throws PgqError INVALID_OPTION for a target_session_attrs that a queue can't work with
 */
export function eachHost(connectionString: string): readonly string[] {
  const [, head, hosts = '', tail] = PARTS.exec(connectionString) ?? []
  if (!hosts.includes(',')) return [connectionString]
  const wish = /[?&]target_session_attrs=([^&]*)/.exec(tail ?? '')?.[1] ?? 'read-write'
  if (!SESSION_ATTRS.includes(wish)) {
    throw new PgqError(
      'INVALID_OPTION',
      `connectionString has target_session_attrs ${show(wish)}: a queue needs read-write, which is what several hosts mean without it, too`,
    )
  }
  return hosts.split(',').map((host) => `${head}${host}${tail}`)
}

/**
 * The class of clients that connect to whichever of several hosts takes writes at that moment. The driver knows one host
 * only. So each client first asks all of them, on connections of their own that end at once: a host that is down, hangs, or
 * is a standby costs no time as long as another one answers.
 */
export function clientOfHosts(hosts: readonly string[]): typeof pg.Client {
  /** Clients that connect at the same time share the answer. */
  let search: Promise<Host> | undefined
  return class ClientOfHosts extends pg.Client {
    readonly #config: pg.ClientConfig
    #ended = false

    constructor(config: pg.ClientConfig = {}) {
      super(config)
      this.#config = config
    }

    override connect(): Promise<pg.Client>
    override connect(callback: Connected): void
    override connect(callback?: Connected): Promise<pg.Client> | void {
      const connected = this.#connectToPrimary()
      if (!callback) return connected
      // oxlint-disable-next-line promise/no-callback-in-promise -- this is how a pool connects
      connected.then((client) => callback(null, client), callback)
    }

    override end(): Promise<void>
    override end(callback: (error: Error) => void): void
    override end(callback?: (error: Error) => void): Promise<void> | void {
      this.#ended = true
      return callback ? super.end(callback) : super.end()
    }

    async #connectToPrimary(): Promise<pg.Client> {
      search ??= findPrimary(hosts, this.#config).finally(() => (search = undefined))
      const host = await search
      if (this.#ended) throw new Error('Connection terminated before it was opened')
      // The driver reads them when it connects.
      Object.assign(this, host)
      await super.connect()
      return this
    }
  }
}

type Connected = (error: Error | null, client?: pg.Client) => void

interface Host {
  readonly host: string
  readonly port: number
}

/** The first host that answers and takes writes. */
async function findPrimary(hosts: readonly string[], config: pg.ClientConfig): Promise<Host> {
  const limits = { connectionTimeoutMillis: ANSWER_MS, query_timeout: ANSWER_MS }
  const clients = hosts.map((connectionString) => new pg.Client({ ...config, ...limits, connectionString }))
  const answered = new Set<pg.Client>()
  try {
    return await Promise.any(clients.map((client) => askForWrites(client, () => answered.add(client))))
  } catch (error) {
    const said = clients.map(({ host, port }, i) => `${host}:${port}: ${messageAt(error, i)}`)
    throw new Error(`no connection: none of the hosts takes writes (${said.join('; ')})`, { cause: error })
  } finally {
    for (const client of clients) {
      if (answered.has(client)) void client.end().catch(() => {})
      else destroyConnection(client)
    }
  }
}

async function askForWrites(client: pg.Client, onAnswer: () => void): Promise<Host> {
  client.on('error', () => {})
  await client.connect()
  onAnswer()
  const { rows } = await client.query<{ transaction_read_only: string }>(IS_READ_ONLY)
  if (rows[0]?.transaction_read_only !== 'off') throw new Error('it is read-only, as a standby is')
  return { host: client.host, port: client.port }
}

function messageAt(error: unknown, index: number): string {
  const one: unknown = error instanceof AggregateError ? error.errors[index] : error
  return one instanceof Error ? one.message : show(one)
}
