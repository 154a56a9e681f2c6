import { startPostgres } from '@pgq/embedded-postgres'

/** The server that the demo runs on. */
export interface DemoDatabase {
  readonly url: string
  /** Whether it is the demo's own, whose address holds no password and is for everybody to see. */
  readonly ours: boolean
  /** For people: which one it is. */
  readonly description: string
  stop(): Promise<void>
}

/** The server that `DATABASE_URL` names, or one of the demo's own that is as careful with its commits as one in production. */
export async function openDatabase(): Promise<DemoDatabase> {
  const url = process.env['DATABASE_URL']
  if (url)
    return {
      url,
      ours: false,
      description: 'the server that DATABASE_URL names',
      stop: async () => {},
    }
  const postgres = await startPostgres({ durable: true })
  return {
    url: postgres.url,
    ours: true,
    description: `an embedded PostgreSQL ${postgres.major}, with fsync on`,
    stop: () => postgres.stop(),
  }
}
