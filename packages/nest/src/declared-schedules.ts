import { PgqError, type Schedule } from '@pgq/core'
import type { Found } from './explorer.ts'

/**
 * The schedules that decorators declare.
 * @throws PgqError INVALID_OPTION for one whose queue has no handler here: its jobs would wait, without a word
 */
export function declaredSchedules(
  found: readonly Found<'schedule'>[],
  isHandled: (queue: string) => boolean,
): Schedule[] {
  for (const { declaration, name, module } of found) {
    const { queue } = declaration.schedule
    if (isHandled(queue.name)) continue
    throw new PgqError(
      'INVALID_OPTION',
      `${name} in ${module.name} has a @Schedule for queue ${JSON.stringify(queue.name)}, which has no handler on the connection ` +
        `${JSON.stringify(declaration.connection)}: put it beside the @Processor or @Process of that queue; for a queue that another ` +
        'application handles, call pgq.schedules.upsert',
    )
  }
  return found.map(({ declaration }) => declaration.schedule)
}
