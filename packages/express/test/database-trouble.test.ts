import { once } from 'node:events'
import net from 'node:net'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { cleanUpAfterwards } from '@pgq/test-support'
import { problems } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { serve } from './support/serve.ts'

const { pool, schema, sql } = await freshQueue()
pool.on('error', () => {})
await sql(`CREATE TABLE ${schema}.stock (id int PRIMARY KEY, n int)`)
await sql(`INSERT INTO ${schema}.stock VALUES (1, 1), (2, 1)`)

/** What becomes of an error: the answer, what the operator heard, and whether it was passed on. */
async function answerTo(route: RequestHandler): Promise<{
  response: Response
  told: unknown[]
  passed: unknown[]
}> {
  const told: unknown[] = []
  const passed: unknown[] = []
  const last: ErrorRequestHandler = (error, _req, res, _next) => {
    passed.push(error)
    res.status(599).end()
  }
  const app = express().get('/', route)
  app.use(problems({ onError: (error) => told.push(error) }), last)
  const { request } = await serve(app)
  return { response: await request('/'), told, passed }
}

/** Wraps an error as Drizzle does: with the statement and its values in the message. */
const wrapped = (cause: unknown): Error =>
  new Error('Failed query: SELECT secret\nparams: hunter2', { cause: new Error('in between', { cause }) })

const errorOf = async (work: () => Promise<unknown>): Promise<unknown> =>
  work().then(
    () => expect.fail('it should have failed'),
    (error: unknown) => error,
  )

async function withClient(work: (client: pg.PoolClient) => Promise<unknown>): Promise<unknown> {
  const client = await pool.connect()
  client.on('error', () => {})
  try {
    return await errorOf(() => work(client))
  } finally {
    client.release(true)
  }
}

/** A transaction that has to be run again. */
const conflict = (): Promise<unknown> =>
  withClient(async (client) => {
    await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
    await client.query(`SELECT n FROM ${schema}.stock`)
    await sql(`UPDATE ${schema}.stock SET n = n + 1 WHERE id = 1`)
    await client.query(`UPDATE ${schema}.stock SET n = n + 1 WHERE id = 1`)
  })

const terminate = async (client: pg.PoolClient): Promise<void> => {
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
  await client.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
}

const away = (): Promise<unknown> =>
  errorOf(async () => {
    const gone = new pg.Pool({ connectionString: inject('databaseUrl').replace(/:\d+\//, ':1/') })
    cleanUpAfterwards(() => gone.end())
    await gone.query('SELECT 1')
  })

test.for<[string, () => Promise<unknown>, RegExp]>([
  ['a conflict', conflict, /could not serialize/],
  ['a backend that is ended', () => withClient(terminate), /terminating connection/],
  [
    'a connection that has broken before',
    () => withClient((client) => terminate(client).catch(() => client.query('ROLLBACK'))),
    /not queryable|terminated/,
  ],
  ['a server that is away', away, /ECONNREFUSED|^$/],
  [
    'no room for another connection',
    () =>
      withClient((client) =>
        client.query(`DO $$ BEGIN RAISE EXCEPTION 'sorry, too many clients' USING ERRCODE = '53300'; END $$`),
      ),
    /too many clients/,
  ],
  [
    'a pool that has none to give',
    () =>
      errorOf(async () => {
        const small = new pg.Pool({ ...pool.options, max: 1, connectionTimeoutMillis: 500 })
        const taken = await small.connect()
        try {
          await small.connect()
        } finally {
          taken.release()
          await small.end()
        }
      }),
    /timeout exceeded/,
  ],
])(
  "trouble with the database in a route is 503, wherever the driver's error is: %s",
  async ([, make, expected]) => {
    const cause = await make()
    expect((cause as Error).message).toMatch(expected)
    for (const error of [cause, wrapped(cause)]) {
      const { response, told, passed } = await answerTo(() => {
        throw error
      })
      expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '2'])
      const text = await response.text()
      expect(JSON.parse(text)).toEqual({
        type: 'urn:problem-type:pgq:unavailable',
        title: 'Temporarily unavailable',
        status: 503,
      })
      expect(told).toEqual([error])
      expect(passed).toEqual([])
    }
  },
)

test('what is no trouble of the database is passed on', async () => {
  const circle = new Error('one')
  circle.cause = new Error('other', { cause: circle })
  const refused = await withClient((client) => client.query(`INSERT INTO ${schema}.stock VALUES (1, 1)`))
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close() // so that nobody is there
  const upstream = await errorOf(() => fetch(`http://127.0.0.1:${port}/`))
  expect(upstream).toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  for (const error of [circle, refused, wrapped(refused), upstream, new Error('x', { cause: upstream })]) {
    const { response, told, passed } = await answerTo(() => {
      throw error
    })
    expect(response.status).toBe(599)
    expect(told).toEqual([])
    expect(passed).toEqual([error])
  }
})
