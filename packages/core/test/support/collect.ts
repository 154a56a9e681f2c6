import { cleanUpAfterwards } from '@pgq/test-support'
import type { Pgq, PgqEventName, PgqEvents } from '../../src/index.ts'

/** Collects the events of one name. */
export function collect<Name extends PgqEventName>(pgq: Pgq, name: Name): PgqEvents[Name][] {
  const events: PgqEvents[Name][] = []
  const off = pgq.events.on(name, (event) => events.push(event))
  cleanUpAfterwards(async () => off())
  return events
}
