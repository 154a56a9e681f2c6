import { ClientLog } from '../history/client-log.ts'
import type { Answer, ClientOptions, Order } from './orders.ts'

/** What every client's process has: its options, its log, and ears for the harness. */
export interface Client {
  readonly options: ClientOptions
  readonly log: ClientLog
  readonly say: (did: Answer['did']) => void
}

const TrueDate = Date

/** Sets a client's process up. `onFinish` is called when it is asked to end. */
export function openClient(onFinish: () => void): Client {
  const options = JSON.parse(process.argv[2] ?? '') as ClientOptions
  const log = new ClientLog(options.logs, options.name)
  setClock(options.skewMs)
  process.on('uncaughtExceptionMonitor', (error, origin) =>
    log.write({ op: 'crash', message: `${origin}: ${error instanceof Error ? error.stack : String(error)}` }),
  )
  // Whoever started this one is gone, and with it the server.
  process.once('disconnect', () => process.exit())
  process.on('message', (order: Order) => {
    if (order.do === 'block') block(order.ms)
    if (order.do === 'skew') setClock(order.ms)
    if (order.do === 'finish') onFinish()
    else say(order.do)
  })
  // The channel alone keeps no process alive: whoever is asked to stop has to end by itself.
  process.channel?.unref()
  return { options, log, say }
}

function say(did: Answer['did']): void {
  if (process.connected) process.send?.({ did } satisfies Answer)
}

/** Holds the event loop up, as a long computation does. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** From now on the process believes that it is another time. */
function setClock(skewMs: number): void {
  const now = (): number => TrueDate.now() + skewMs
  globalThis.Date =
    skewMs === 0
      ? TrueDate
      : new Proxy(TrueDate, {
          construct: (target, args) =>
            args.length === 0 ? new target(now()) : Reflect.construct(target, args),
          apply: () => new TrueDate(now()).toString(),
          get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
        })
}
