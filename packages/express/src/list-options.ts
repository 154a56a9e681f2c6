import { PgqError, type Worker } from '@pgq/core'
import { show } from '@pgq/core/options'

/**
 * Checks a list.
 * @throws PgqError INVALID_OPTION naming the first entry that is none
 */
export function listOption<T>(
  option: string,
  value: readonly T[],
  accepts: (entry: T) => boolean,
  what: string,
): readonly T[] {
  if (!Array.isArray(value)) {
    throw new PgqError('INVALID_OPTION', `${option} is ${show(value)}: it must be an array`)
  }
  // Not findIndex: that passes holes over.
  for (const [index, entry] of value.entries()) {
    if (!accepts(entry)) {
      throw new PgqError('INVALID_OPTION', `${option}[${index}] is ${show(entry)}: it must ${what}`)
    }
  }
  return Array.from(value)
}

/**
 * Checks workers by their shape, so that those of another copy of core are fine.
 * @throws PgqError INVALID_OPTION
 */
export function workersOption(value: readonly Worker[]): readonly Worker[] {
  return listOption(
    'workers',
    value,
    (worker) => hasFunction(worker, 'stop') && 'status' in worker,
    'be what pgq.createWorker returned',
  )
}

/** Whether something can be called like that. */
export function hasFunction(value: unknown, name: string): value is object {
  if (typeof value !== 'object' || value === null) return false
  return typeof (value as Record<string, unknown>)[name] === 'function'
}
