import { createPgq, defineQueue, type Pgq, type Queryable, type } from '@pgq/core'
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { awkwardPayloads } from './awkward-payloads.ts'
import { slowSchema } from './slow-schema.ts'

/** A driver, or an ORM, that is to play `tx`. */
export interface TransactionDriver {
  /** Runs statements that commit by themselves, in the same database. */
  readonly db: Queryable
  /** Begins a transaction, runs `work` and commits; rolls back and rejects if `work` rejects. */
  readonly transaction: <T>(work: (tx: Queryable, nested: Nested) => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

/** Runs `work` in a savepoint of the transaction, which is rolled back if `work` rejects. */
export type Nested = <T>(work: (tx: Queryable) => Promise<T>) => Promise<T>

/** Makes a driver on a database in which `pgq` has its schema, once `migrate` has been run on it. */
export type OpenDriver = (pgq: Pgq) => Promise<TransactionDriver>

/** What a driver can't do. */
export interface Limits {
  /** False when it can't be told that a transaction has ended: an enqueue then goes wherever the driver sends it. @default true */
  readonly tellsItsEnd?: boolean
}

const letters = defineQueue('letters', { payload: type<unknown>() })
const slow = defineQueue('slow letters', { payload: slowSchema })
const undo = new Error('undo')
const coded = (code: string) => expect.objectContaining({ name: 'PgqError', code })

/** Describes what `pgq.enqueue(…, { tx })` needs of a driver, as tests. */
export function transactionContract(
  name: string,
  open: OpenDriver,
  { tellsItsEnd = true }: Limits = {},
): void {
  describe(`${name} as tx`, () => {
    const stages: Stage[] = []
    let stage: Stage
    beforeAll(async () => {
      stage = await setUp(open, `t_${randomBytes(6).toString('hex')}`)
      stages.push(stage)
    })
    afterEach(() => stage.empty())
    afterAll(async () => {
      for (const one of stages) await one.close()
    })

    test('a job is there from the commit on, and not before', async () => {
      const { pgq, driver, jobs } = stage
      const { id } = await driver.transaction((tx) => pgq.enqueue(letters, { n: 1 }, { tx }))
      expect(await jobs()).toMatchObject([{ id, queue_name: 'letters', payload: '{"n": 1}' }])
    })

    test.each([letters, slow])('a rollback takes the jobs of $name with it', async (queue) => {
      const { pgq, driver, jobs } = stage
      const undone = driver.transaction(async (tx) => {
        await pgq.enqueue(queue, { n: 1 }, { tx })
        await pgq.enqueueMany(queue, [{ n: 2 }, { n: 3 }], { tx })
        throw undo
      })
      await expect(undone).rejects.toBe(undo)
      expect(await jobs()).toEqual([])
    })

    test.each([letters, slow])(
      'an enqueue of $name that nobody awaits is not there after a rollback',
      async (queue) => {
        const { pgq, driver, jobs } = stage
        const floating: Promise<unknown>[] = []
        const undone = driver.transaction(async (tx) => {
          floating.push(pgq.enqueue(queue, { n: 1 }, { tx }).catch((error: unknown) => error))
          throw undo
        })
        await expect(undone).rejects.toBe(undo)
        await Promise.all(floating)
        expect(await jobs()).toEqual([])
      },
    )

    test('payloads arrive as they were', async () => {
      const { pgq, driver, jobs } = stage
      await driver.transaction((tx) => pgq.enqueueMany(letters, awkwardPayloads, { tx }))
      expect((await jobs()).map(({ payload }) => JSON.parse(payload) as unknown)).toEqual(awkwardPayloads)
    })

    test('options arrive too', async () => {
      const { pgq, driver, jobs } = stage
      const metadata = { who: `o'Neill "$1" ?`, list: [1, null] }
      await driver.transaction((tx) =>
        pgq.enqueue(letters, null, { tx, priority: -7, delay: '1h', metadata }),
      )
      const [job] = await jobs()
      expect(job).toMatchObject({ payload: 'null', priority: '-7' })
      expect(JSON.parse(job?.metadata ?? '')).toEqual(metadata)
    })

    test('twelve thousand jobs go in with one call, in their order', async () => {
      const { pgq, driver, jobs } = stage
      const payloads = Array.from({ length: 12_000 }, (_, n) => ({ n }))
      const results = await driver.transaction((tx) => pgq.enqueueMany(slow, payloads, { tx }))
      const rows = await jobs()
      expect(rows.map(({ id }) => id)).toEqual(results.map(({ id }) => id))
      expect(rows.map(({ payload }) => JSON.parse(payload) as unknown)).toEqual(payloads)
    })

    test('a job whose key is taken already is deduplicated', async () => {
      const { pgq, driver, jobs } = stage
      const uniqueKey = `it's "$1"`
      const enqueue = () => driver.transaction((tx) => pgq.enqueue(letters, {}, { tx, uniqueKey }))
      const { id } = await enqueue()
      expect(await enqueue()).toEqual({ id, deduplicated: true })
      expect(await jobs()).toHaveLength(1)
    })

    test('the schema may have any name', async () => {
      const hostile = await setUp(open, `a "b" $1 ? 'c' ${randomBytes(4).toString('hex')}`)
      stages.push(hostile)
      const { pgq, driver, jobs } = hostile
      await driver.transaction((tx) => pgq.enqueue(letters, 'x', { tx }))
      expect(await jobs()).toHaveLength(1)
    })

    test('what the database refuses is an error with its SQLSTATE, and leaves nothing', async () => {
      const { pgq, driver, jobs, quoted } = stage
      await driver.db.query(`ALTER TABLE ${quoted}.jobs_waiting ADD CONSTRAINT modest CHECK (priority < 9)`)
      const refused = driver.transaction(async (tx) => {
        await pgq.enqueue(letters, 1, { tx })
        await pgq.enqueue(letters, 2, { tx, priority: 9 })
      })
      await expect(refused).rejects.toEqual(
        expect.objectContaining({ code: 'DATABASE_REJECTED', sqlState: '23514' }),
      )
      expect(await jobs()).toEqual([])
      await driver.db.query(`ALTER TABLE ${quoted}.jobs_waiting DROP CONSTRAINT modest`)
    })

    test('in a transaction that has failed, the error is the one that retry logic looks for', async () => {
      const { pgq, driver, jobs } = stage
      const failed = driver.transaction(async (tx) => {
        await Promise.resolve(tx.query('SELECT 1 / 0')).catch(() => {})
        const error: unknown = await pgq.enqueue(letters, 1, { tx }).catch((reason: unknown) => reason)
        expect(sqlStates(error)).toContain('25P02')
        throw undo
      })
      await expect(failed).rejects.toBe(undo)
      expect(await jobs()).toEqual([])
    })

    test('an answer is remembered with the transaction', async () => {
      const { pgq, driver, jobs } = stage
      const order = () =>
        driver.transaction((tx) =>
          pgq.once({ tx, key: 'k' }, async () => (await pgq.enqueue(letters, {}, { tx })).id),
        )
      const first = await order()
      expect(await order()).toEqual({ ...first, replayed: true })
      expect(await jobs()).toHaveLength(1)
    })

    test('and goes with it', async () => {
      const { pgq, driver, jobs } = stage
      const undone = driver.transaction(async (tx) => {
        await pgq.once({ tx, key: 'k' }, async () => (await pgq.enqueue(letters, {}, { tx })).id)
        throw undo
      })
      await expect(undone).rejects.toBe(undo)
      const again = await driver.transaction((tx) => pgq.once({ tx, key: 'k' }, async () => 'new'))
      expect(again).toEqual({ value: 'new', replayed: false })
      expect(await jobs()).toEqual([])
    })

    test.each([letters, slow])('several enqueues of $name at once are all there', async (queue) => {
      const { pgq, driver, jobs } = stage
      const results = await driver.transaction((tx) =>
        Promise.all(Array.from({ length: 20 }, (_, n) => pgq.enqueue(queue, { n }, { tx }))),
      )
      expect((await jobs()).map(({ id }) => id)).toEqual(results.map(({ id }) => id).toSorted())
    })

    test('what commits by itself can be enqueued through, and is not taken for a transaction', async () => {
      const { pgq, driver, jobs } = stage
      const tx: Queryable = driver.db.autocommit
        ? driver.db
        : { query: (...query) => driver.db.query(...query), autocommit: true }
      await pgq.enqueue(letters, 1, { tx })
      await pgq.enqueue(slow, { n: 2 }, { tx })
      expect(await jobs()).toHaveLength(2)
      await expect(pgq.once({ tx, key: 'k' }, async () => 1)).rejects.toThrow(coded('INVALID_OPTION'))
    })

    test.each([letters, slow])('a savepoint takes back what was enqueued in it of $name', async (queue) => {
      const { pgq, driver, jobs } = stage
      const ids = await driver.transaction(async (tx, nested) => {
        const before = await pgq.enqueue(queue, { n: 1 }, { tx })
        const kept = await nested((inner) => pgq.enqueue(queue, { n: 2 }, { tx: inner }))
        const undone = nested(async (inner) => {
          await pgq.enqueue(queue, { n: 3 }, { tx: inner })
          throw undo
        })
        await expect(undone).rejects.toBe(undo)
        const after = await pgq.enqueue(queue, { n: 4 }, { tx })
        return [before.id, kept.id, after.id]
      })
      expect((await jobs()).map(({ id }) => id)).toEqual(ids)
    })

    if (tellsItsEnd) describeItsEnd(() => stage)
  })
}

/** A job that is written after the end would be there whatever the caller then does. */
function describeItsEnd(current: () => Stage): void {
  test.each([letters, slow])('after its end it takes no more jobs of $name', async (queue) => {
    const { pgq, driver, jobs } = current()
    let ended: Queryable | undefined
    await driver.transaction(async (tx) => {
      ended = tx
      await tx.query('SELECT 1')
    })
    await expect(pgq.enqueue(queue, { n: 1 }, { tx: ended as Queryable })).rejects.toThrow(
      coded('TRANSACTION_CLOSED'),
    )
    const undone = driver.transaction(async (tx) => {
      ended = tx
      await tx.query('SELECT 1')
      throw undo
    })
    await expect(undone).rejects.toBe(undo)
    await expect(pgq.enqueue(queue, { n: 1 }, { tx: ended as Queryable })).rejects.toThrow(
      coded('TRANSACTION_CLOSED'),
    )
    expect(await jobs()).toEqual([])
  })
}

/** A driver with a schema of its own. */
interface Stage {
  readonly pgq: Pgq
  readonly driver: TransactionDriver
  readonly quoted: string
  readonly jobs: () => Promise<JobRow[]>
  /** Removes all jobs and answers. */
  readonly empty: () => Promise<void>
  readonly close: () => Promise<void>
}

async function setUp(open: OpenDriver, schema: string): Promise<Stage> {
  // It is never connected: everything goes through the driver.
  const pgq = createPgq({ connectionString: 'postgres://postgres@127.0.0.1:1/none', schema })
  const driver = await open(pgq)
  const quoted = `"${schema.replaceAll('"', '""')}"`
  return {
    pgq,
    driver,
    quoted,
    jobs: async () => {
      const text = `SELECT id::text AS id, queue_name, payload::text AS payload, priority::text AS priority, metadata::text AS metadata FROM ${quoted}.jobs ORDER BY id`
      return (await driver.db.query(text)).rows as JobRow[]
    },
    empty: async () => {
      await driver.db.query(`TRUNCATE ${quoted}.jobs, ${quoted}.idempotency_keys`)
    },
    close: async () => {
      await driver.db.query(`DROP SCHEMA ${quoted} CASCADE`)
      await driver.close()
      await pgq.close()
    },
  }
}

interface JobRow {
  readonly id: string
  readonly queue_name: string
  readonly payload: string
  readonly priority: string
  readonly metadata: string | null
}

/** The SQLSTATEs of an error and its causes: some libraries wrap the driver's error into one of their own. */
function sqlStates(error: unknown): unknown[] {
  if (!(error instanceof Error)) return []
  return ['code' in error ? error.code : undefined, ...sqlStates(error.cause)]
}
