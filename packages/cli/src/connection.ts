import { type ConnectionConfig, createPgq, type Pgq } from '@pgq/core'
import { UsageError } from './exit-code.ts'

/** Where the queue is. */
export interface ConnectionOptions {
  readonly url?: string
  readonly schema?: string
}

const NO_DATABASE =
  'which database? Give --url, or set DATABASE_URL, as in postgres://user@host:5432/name, or PGHOST and the like'

/** A few connections: one for each thing that happens at once. */
const POOL_SIZE = 4

/**
 * Opens the queue that the command line or the environment names. Nothing is connected yet.
 * @throws UsageError when neither does; PgqError INVALID_OPTION
 */
export function openPgq({ url, schema }: ConnectionOptions): Pgq {
  const given = schema ?? process.env['PGQ_SCHEMA']
  return createPgq({
    connection: connectionOf(url ?? process.env['DATABASE_URL']),
    ...(given && { schema: given }),
  })
}

/** One that is never connected, for what only needs to know the name of the schema. */
export const unconnectedPgq = ({ schema = process.env['PGQ_SCHEMA'] }: ConnectionOptions): Pgq =>
  createPgq({ connectionString: 'postgres://nowhere', ...(schema && { schema }) })

/** Where a URL leads, without its user and password: `host:5432/name`; undefined when it can't be read. */
export function placeOf(url: string): string | undefined {
  // Of several hosts, which URL does not know, it reads the last one.
  const [, user = '', hosts = '', rest = ''] = /^postgres(?:ql)?:\/\/([^/]*@)?([^/?#]*)(.*)$/s.exec(url) ?? []
  try {
    const { pathname } = new URL(`postgres://${user}${hosts.split(',').at(-1)}${rest}`)
    return `${hosts}${pathname}`
  } catch {
    return undefined
  }
}

function connectionOf(url: string | undefined): ConnectionConfig {
  const settings: ConnectionConfig = { application_name: 'pgq cli', max: POOL_SIZE }
  if (url) {
    if (!/^postgres(ql)?:\/\//.test(url))
      throw new UsageError('the database URL must begin with postgres:// or postgresql://')
    if (placeOf(url) === undefined)
      throw new UsageError(
        'the database URL can not be read; in a password, characters such as / @ # % and blanks are written as %2F and the like',
      )
    return { ...settings, connectionString: url }
  }
  // What libpq's programs go by, which the driver knows as well.
  if (['PGHOST', 'PGDATABASE', 'PGUSER'].some((name) => process.env[name])) return settings
  throw new UsageError(NO_DATABASE)
}
