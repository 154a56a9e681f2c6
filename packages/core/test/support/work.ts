import type { Handler, Pgq, PgqEventName, PgqEvents, Worker, WorkerOptions } from '../../src/index.ts'
import { cleanUpAfterwards } from '@pgq/test-support'

/** Starts a worker in this process, which stops when the test or the file ends and waits for nobody then. */
export async function work(
  pgq: Pgq,
  handlers: readonly Handler[],
  options: WorkerOptions = {},
): Promise<Worker> {
  const worker = pgq.createWorker(handlers, { shutdownTimeout: 0, ...options })
  cleanUpAfterwards(() => worker.stop())
  await worker.start()
  return worker
}

/** Collects the events of one name. */
export function collect<Name extends PgqEventName>(pgq: Pgq, name: Name): PgqEvents[Name][] {
  const events: PgqEvents[Name][] = []
  const off = pgq.events.on(name, (event) => events.push(event))
  cleanUpAfterwards(async () => off())
  return events
}
