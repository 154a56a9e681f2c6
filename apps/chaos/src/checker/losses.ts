import type { Acknowledged, ClientRecord } from '../history/records.ts'
import type { Timeline } from './timeline.ts'
import type { Finding } from './violation.ts'

type Enqueue = Extract<ClientRecord, { op: 'enqueue' }>

/** Every enqueue that was acknowledged is in the tables, once: nobody deletes here. */
export function* lostJobs({ history, changesOf }: Timeline): Iterable<Finding> {
  const rows = new Map<string, number>()
  for (const { id } of history.end.jobs) rows.set(id, (rows.get(id) ?? 0) + 1)
  for (const { ticket, id, deduplicated } of acknowledged(history.clients)) {
    const count = rows.get(id) ?? 0
    if (count !== 1)
      yield { job: id, message: `${ticket} was acknowledged as job ${id}, of which there are ${count} rows` }
    const first = changesOf.get(id)?.[0]
    if (!deduplicated && first?.to && first.to.ticket !== ticket)
      yield { job: id, message: `${ticket} was acknowledged as job ${id}, which is ${first.to.ticket}` }
  }
}

/** Every job was enqueued by a schedule, or by somebody who was not told that it was refused, and no handler runs what is not there. */
export function* phantoms({ history, changesOf }: Timeline): Iterable<Finding> {
  const asked = new Set(enqueues(history.clients).flatMap(({ tickets }) => tickets))
  const refused = refusedTickets(history.clients)
  for (const [job, changes] of changesOf) {
    const ticket = changes[0]?.to?.ticket
    if (changes[0]?.to?.schedule) continue
    if (typeof ticket !== 'string' || !asked.has(ticket))
      yield { job, message: `nobody enqueued job ${job} (${ticket})` }
    else if (refused.has(ticket))
      yield { job, message: `the enqueue of ${ticket} was refused, and it is there` }
  }
  for (const record of history.clients)
    if (record.op === 'start' && !changesOf.has(record.job))
      yield { job: record.job, message: `a handler ran job ${record.job}, which never was` }
}

/** What was enqueued once is there once, also when the answer was lost. */
export function* doubleEnqueues({ changesOf }: Timeline): Iterable<Finding> {
  const jobs = new Map<string, string>()
  for (const [job, changes] of changesOf) {
    const ticket = changes[0]?.to?.schedule ? undefined : changes[0]?.to?.ticket
    if (typeof ticket !== 'string') continue
    const other = jobs.get(ticket)
    if (other !== undefined) yield { job, message: `${ticket} is there twice: ${other} and ${job}` }
    jobs.set(ticket, job)
  }
}

/** A job and the row that was written in the same transaction are both there, or neither is. */
export function* brokenTransactions({ history, changesOf }: Timeline): Iterable<Finding> {
  const jobs = new Map<string, string>()
  for (const [job, changes] of changesOf) {
    const ticket = changes[0]?.to?.ticket
    if (typeof ticket === 'string') jobs.set(ticket, job)
  }
  const orders = new Set(history.end.orders)
  for (const { tickets, order } of enqueues(history.clients)) {
    if (order !== true) continue
    for (const ticket of tickets) {
      const job = jobs.get(ticket)
      if (job !== undefined && !orders.has(ticket))
        yield { job, message: `job ${job} is there without its row ${ticket}` }
      if (job === undefined && orders.has(ticket))
        yield { message: `the row ${ticket} is there without its job` }
    }
  }
}

/** Who was told that a job was cancelled finds it cancelled. */
export function* lostActs({ history, changesOf }: Timeline): Iterable<Finding> {
  const acted = new Map(
    history.clients.flatMap((record) => (record.op === 'acted' ? [[record.call, record] as const] : [])),
  )
  for (const record of history.clients) {
    if (record.op !== 'act' || record.act !== 'cancel') continue
    const answer = acted.get(record.call)
    if (!answer || answer.changed !== 1) continue
    if (!changesOf.get(record.job)?.some(({ to }) => to?.status === 'cancelled'))
      yield { job: record.job, message: `job ${record.job} was said to be cancelled, and never was` }
  }
}

/** What is cancelled or runs again somebody has asked for. */
export function* unaskedActs({ changes, clientsOf }: Timeline): Iterable<Finding> {
  for (const { id, kind } of changes) {
    const act = { cancelled: 'cancel', revived: 'retry' }[kind as string]
    if (act === undefined) continue
    if (!clientsOf.get(id)?.some((record) => record.op === 'act' && record.act === act))
      yield { job: id, message: `job ${id} was ${kind}, and nobody has asked for that` }
  }
}

/** What was asked for. */
export const enqueues = (clients: readonly ClientRecord[]): Enqueue[] =>
  clients.filter((record): record is Enqueue => record.op === 'enqueue')

const acknowledged = (clients: readonly ClientRecord[]): Acknowledged[] =>
  clients.flatMap((record) => (record.op === 'enqueued' ? record.jobs : []))

function refusedTickets(clients: readonly ClientRecord[]): Set<string> {
  const refused = new Set(
    clients.flatMap((record) => (record.op === 'refused' && record.sure ? [record.call] : [])),
  )
  return new Set(enqueues(clients).flatMap(({ call, tickets }) => (refused.has(call) ? tickets : [])))
}
