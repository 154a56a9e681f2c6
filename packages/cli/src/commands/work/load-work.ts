import type { Handler, Pgq, Schedule } from '@pgq/core'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '../../exit-code.ts'

/** What a module gives a worker to do. */
export interface Work {
  readonly handlers: readonly Handler[]
  /** What the module has opened besides, to be closed when the worker has stopped. */
  readonly close?: (() => unknown) | undefined
  readonly schedules?: readonly Schedule[] | undefined
}

/**
 * Imports a module, ES or CommonJS, and finds the work in it.
 * @throws UsageError when there is no such file, or no work in it; what the module throws passes unchanged
 */
export async function loadWork(file: string, pgq: Pgq): Promise<Work> {
  const path = resolve(file)
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`)
  const exported = await importModule(path)
  // CommonJS has all of its exports as the default one.
  const main = exported['default']
  const found: unknown =
    typeof main === 'function' ? await main(pgq) : isRecord(main) ? { ...exported, ...main } : exported
  if (!isRecord(found) || !isHandlers(found['handlers']))
    throw new UsageError(
      `${file} exports no handlers: it must export const handlers = [handle(queue, …)], or a default function that returns { handlers }`,
    )
  const { handlers, schedules, close } = found as unknown as Work
  if (close !== undefined && typeof close !== 'function')
    throw new UsageError(`what ${file} exports as close is no function`)
  return { handlers, schedules, close }
}

async function importModule(path: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(path).href)
  } catch (error) {
    if (!isRecord(error) || error['code'] !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error
    throw new UsageError(
      `Node ${process.version} can't import ${path} as it is: compile it, or set NODE_OPTIONS='--import tsx' with tsx installed`,
      { cause: error },
    )
  }
}

const isHandlers = (value: unknown): value is readonly Handler[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((one: unknown) => isRecord(one) && isRecord(one['queue']))

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
