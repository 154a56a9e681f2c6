import { inject } from 'vitest'
import { cleanUpAfterwards } from '@pgq/test-support'
import pg from 'pg'
import { type Message, type MessageProxy, startMessageProxy } from './message-proxy.ts'
import { SEED } from './seed.ts'

/** What happens to one message: it is lost with its connection; its answer is; or its backend is killed just before it. */
type Accident = 'cut' | 'answer lost' | 'backend killed'

/** One run of a conversation, with an accident at one of its messages. */
export interface Run {
  readonly url: string
  /** Which accident, where: for the messages of failing tests. */
  readonly name: string
}

export interface Sweep {
  /** How many messages the conversation has when nothing happens to it. */
  readonly messages: number
  /** How often an accident happened. */
  readonly accidents: number
}

/** How many conversations go on at once. */
const LANES = 8

/**
 * Has a conversation again and again, and at each time an accident at another message, until every message of it has
 * had every accident. `stride` leaves all but every so-many-th out, from the first on that the seed of this run says.
 */
export async function atEveryMessage(
  converse: (run: Run, lane: number) => Promise<void>,
  stride = 1,
): Promise<Sweep> {
  const proxies = await Promise.all(
    Array.from({ length: LANES }, () => startMessageProxy(inject('databaseUrl'))),
  )
  const killer = new pg.Pool({ connectionString: inject('databaseUrl'), max: 2 })
  cleanUpAfterwards(() => killer.end())
  const [first] = proxies as [MessageProxy]
  let messages = 0
  const seen: Message[] = []
  first.decide = (message) => {
    messages++
    seen.push(message)
    return 'pass'
  }
  await converse({ url: first.url, name: 'without an accident' }, 0)
  first.decide = () => 'pass'
  const plan = planOf(seen, stride)
  let accidents = 0
  const work = async (proxy: MessageProxy, lane: number): Promise<void> => {
    for (let next = plan.shift(); next; next = plan.shift()) {
      const [accident, position] = next
      let count = 0
      let text = 'nothing'
      proxy.decide = async (message) => {
        if (count++ !== position) return 'pass'
        accidents++
        text = `${message.type} of the ${message.by}`
        if (accident === 'cut') return 'cut'
        if (accident === 'answer lost') return 'deliver and cut'
        if (message.pid !== undefined) await killer.query('SELECT pg_terminate_backend($1)', [message.pid])
        return 'pass'
      }
      const run = {
        url: proxy.url,
        get name() {
          return `${accident} at message ${position} (${text})`
        },
      }
      await converse(run, lane)
      proxy.decide = () => 'pass'
    }
  }
  // What fails in one lane is told when the others are through: they still use what the test cleans up.
  const results = await Promise.allSettled(proxies.map((proxy, lane) => work(proxy, lane)))
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return { messages, accidents }
}

/** An answer that is lost on its way is the same as a cut before it: the other accidents are for what the client says. */
function planOf(seen: readonly Message[], stride: number): [Accident, number][] {
  const all = seen.flatMap(({ by }, position): [Accident, number][] => [
    ['cut', position],
    ...(by === 'client'
      ? ([
          ['answer lost', position],
          ['backend killed', position],
        ] as [Accident, number][])
      : []),
  ])
  return all.filter((_, index) => index % stride === SEED % stride)
}
