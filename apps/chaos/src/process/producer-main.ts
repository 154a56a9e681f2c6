// A producer in a process of its own: enqueues all kinds of work in all ways, cancels some and runs some again, until it is
// asked to finish or killed. What it is told is synced to its log before it goes on.
import { setTimeout as sleep } from 'node:timers/promises'
import type { EnqueueOptions, EnqueueResult } from '@pgq/core'
import pg from 'pg'
import { loadCore } from '../core.ts'
import { Random } from '../random.ts'
import { defineQueues, PAUSED, type Work, type WorkKind } from '../work/queues.ts'
import { openClient } from './client.ts'

const over = new AbortController()
const { options, log, say } = openClient(() => over.abort())
const random = new Random(options.seed)
const core = await loadCore(options.core)
const queues = defineQueues(core)
const pool = new pg.Pool({
  connectionString: options.url,
  max: 4,
  allowExitOnIdle: true,
  connectionTimeoutMillis: 5_000,
  query_timeout: 5_000,
})
pool.on('error', () => {})
// Through a pool of the application's, as services do; the worker opens connections of its own.
const pgq = core.createPgq({ pool })

const recent: string[] = []
let count = 0
say('ready')
while (!over.signal.aborted) {
  await step()
  await sleep((1_000 / options.pace) * 2 * random.next())
}
await pgq.close()
await pool.end()
log.close()
process.disconnect()

async function step(): Promise<void> {
  const dice = random.next()
  if (dice < 0.08 && recent.length > 0) return act(random.pick(recent))
  if (dice < 0.1) return switchQueue()
  if (dice < 0.25) return enqueueOne('unique', { uniqueKey: `key-${random.integer(1, 12)}` })
  if (dice < 0.35) return enqueueInTransaction()
  if (dice < 0.4) return enqueueByRule()
  if (dice < 0.5) return enqueueMany(random.pick(['plain', 'transactional']), random.integer(2, 25))
  const kind = random.pick([
    'plain',
    'transactional',
    'transactional',
    'snoozing',
    'failing',
    'heavy',
    'cancelling',
    'grouped',
    'grouped',
    'metered',
    'chunked',
    'chunked',
  ] as const)
  return enqueueOne(
    kind,
    random.chance(0.2) ? { delay: random.integer(1, 800), priority: random.integer(-2, 2) } : {},
  )
}

function work(kind: WorkKind): Work {
  const ticket = `${options.name}-${++count}`
  switch (kind) {
    case 'snoozing':
      return { ticket, ms: random.integer(0, 20), snoozes: random.integer(1, 3) }
    case 'failing':
      return { ticket, ms: random.integer(0, 20), failures: random.integer(1, 6) }
    case 'heavy':
      // Some outlast a lease: their worker has to renew it meanwhile.
      return {
        ticket,
        ms: random.chance(0.35)
          ? random.integer(options.leaseMs, 3 * options.leaseMs)
          : random.integer(20, 400),
        reports: true,
      }
    case 'serial':
    case 'periodic':
      return { ticket, ms: random.integer(5, 300), key: `key-${random.integer(1, 6)}` }
    case 'grouped':
      return { ticket, ms: random.integer(5, 120), group: `tenant-${random.integer(1, 5)}` }
    case 'metered':
      return {
        ticket,
        ms: random.integer(0, 20),
        group: `tenant-${random.integer(1, 3)}`,
        cost: random.integer(1, 2),
        ...(random.chance(0.1) && { holdsBack: random.pick(['group', 'group', 'queue'] as const) }),
      }
    case 'chunked':
      return {
        ticket,
        ms: random.integer(0, 40),
        early: random.chance(0.3),
        ...(random.chance(0.1) && { failures: 1 }),
      }
    default:
      return { ticket, ms: random.chance(0.1) ? random.integer(50, 500) : random.integer(0, 10) }
  }
}

/** Jobs that wait behind each other, some put off by each that comes; and such that hold their key for a period. */
function enqueueByRule(): Promise<void> {
  const kind = random.pick(['serial', 'serial', 'periodic'] as const)
  const payload = work(kind)
  const unique = { key: payload.key ?? '', onConflict: { debounce: 150, maxWait: 600 } } as const
  return enqueueOne(kind, kind === 'serial' && random.chance(0.3) ? { unique } : {}, payload)
}

async function enqueueOne(kind: WorkKind, jobOptions: EnqueueOptions, payload = work(kind)): Promise<void> {
  const key = jobOptions.uniqueKey ?? payload.key
  const call = `${payload.ticket}!`
  await log.record({
    op: 'enqueue',
    call,
    queue: kind,
    tickets: [payload.ticket],
    ...(key !== undefined && { key }),
  })
  await answered(call, [payload], async () => [await pgq.enqueue(queues[kind], payload, jobOptions)])
}

async function enqueueMany(kind: WorkKind, size: number): Promise<void> {
  const payloads = Array.from({ length: size }, () => work(kind))
  const call = `${payloads[0]?.ticket}!`
  await log.record({ op: 'enqueue', call, queue: kind, tickets: payloads.map(({ ticket }) => ticket) })
  await answered(call, payloads, () => pgq.enqueueMany(queues[kind], payloads))
}

/** Rows of the application's and jobs, in one transaction; some of them roll back. */
async function enqueueInTransaction(): Promise<void> {
  const payloads = [work('order'), work('order')]
  const call = `${payloads[0]?.ticket}!`
  const rollsBack = random.chance(0.3)
  await log.record({
    op: 'enqueue',
    call,
    queue: 'order',
    tickets: payloads.map(({ ticket }) => ticket),
    order: true,
  })
  if (rollsBack) {
    await transaction(payloads, true).catch(() => {})
    // Without a COMMIT nothing can have been written, whatever else went wrong.
    return log.record({ op: 'refused', call, code: 'ROLLED_BACK', sure: true })
  }
  await answered(call, payloads, () => transaction(payloads, false))
}

async function transaction(payloads: readonly Work[], rollsBack: boolean): Promise<EnqueueResult[]> {
  return pgq.transaction(async (tx) => {
    const results: EnqueueResult[] = []
    for (const payload of payloads) {
      await tx.query('INSERT INTO chaos.orders VALUES ($1)', [payload.ticket])
      results.push(await pgq.enqueue(queues.order, payload, { tx }))
    }
    if (rollsBack) throw new Error('rolled back on purpose')
    return results
  })
}

async function answered(
  call: string,
  payloads: readonly Work[],
  enqueue: () => Promise<EnqueueResult[]>,
): Promise<void> {
  try {
    const results = await enqueue()
    const jobs = results.map(({ id, deduplicated }, i) => ({
      ticket: payloads[i]?.ticket ?? '',
      id,
      deduplicated,
    }))
    await log.record({ op: 'enqueued', call, jobs })
    for (const { id } of results) recent[count % 200] = id
  } catch (error) {
    const code = core.isPgqError(error) ? error.code : String(error)
    // The database said no, so there is nothing; when it went away, or did not answer, nobody knows.
    await log.record({
      op: 'refused',
      call,
      code,
      sure: code === 'DATABASE_REJECTED' || code === 'DATABASE_CONFLICT',
    })
  }
}

/** Whoever pauses a queue need not be the one who resumes it, and may be killed before that. */
async function switchQueue(): Promise<void> {
  const queue = random.pick(PAUSED)
  const to = random.chance(0.3) ? 'paused' : 'resumed'
  const call = `${options.name}-switch-${++count}`
  await log.record({ op: 'switch', call, to, queue })
  try {
    await (to === 'paused' ? pgq.pause(queue) : pgq.resume(queue))
    await log.record({ op: 'switched', call, to, queue })
  } catch (error) {
    log.write({ op: 'trouble', where: to, message: String(error) })
  }
}

async function act(job: string | undefined): Promise<void> {
  if (job === undefined) return
  const name = random.pick(['cancel', 'retry'] as const)
  const call = `${options.name}-act-${++count}`
  await log.record({ op: 'act', call, act: name, job })
  try {
    await log.record({ op: 'acted', call, changed: await pgq[name](job) })
  } catch (error) {
    log.write({ op: 'trouble', where: name, message: String(error) })
  }
}
