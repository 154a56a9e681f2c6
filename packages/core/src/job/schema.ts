import type { StandardSchemaV1 } from '@standard-schema/spec'
import { PgqError, type PayloadIssue } from '../errors.ts'

/** Any validator that speaks Standard Schema: zod, valibot, arktype and others. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>

/**
 * A schema that has a type and checks nothing, for payloads that need no validation:
 * `defineQueue('ping', { payload: type<{ host: string }>() })`.
 */
export function type<T>(): Schema<T, T> {
  return { '~standard': { version: 1, vendor: 'pgq', validate: (value) => ({ value: value as T }) } }
}

/**
 * Runs a schema. The answer is a promise only if the schema's own answer is one: a caller in a transaction depends on
 * the synchronous path, where nothing is awaited before the statement is sent.
 * @throws PgqError with the given code and one issue for each thing that is wrong; also when the schema itself throws
 */
export function validate<Output>(
  schema: Schema<unknown, Output>,
  value: unknown,
  code: RefusalCode,
  queue: string,
): Output | Promise<Output> {
  let answer: unknown
  try {
    answer = schema['~standard'].validate(value)
  } catch (error) {
    throw schemaFailed(error, code, queue)
  }
  if (!isThenable(answer)) return accepted(answer as StandardSchemaV1.Result<Output>, code, queue)
  return Promise.resolve(answer).then(
    (result) => accepted(result as StandardSchemaV1.Result<Output>, code, queue),
    (error: unknown) => Promise.reject(schemaFailed(error, code, queue)),
  )
}

type RefusalCode = 'INVALID_PAYLOAD' | 'PAYLOAD_REJECTED'

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** Before an enqueue it is a refusal; before a handler it is a failure like any other, which may be over the next time. */
function schemaFailed(error: unknown, code: RefusalCode, queue: string): unknown {
  if (code === 'PAYLOAD_REJECTED') return error
  const message = `the schema of queue ${JSON.stringify(queue)} threw an error instead of answering`
  return new PgqError(code, message, { cause: error, issues: [{ path: '$', message }] })
}

function accepted<Output>(result: StandardSchemaV1.Result<Output>, code: RefusalCode, queue: string): Output {
  if (!result.issues) return result.value
  const issues = result.issues.map(toIssue)
  const first = issues[0] ?? { path: '$', message: 'refused' }
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
  throw new PgqError(
    code,
    `the payload for queue ${JSON.stringify(queue)} is refused at ${first.path}: ${first.message}${more}`,
    {
      issues,
    },
  )
}

function toIssue(issue: StandardSchemaV1.Issue): PayloadIssue {
  const keys = (issue.path ?? []).map((part) => (typeof part === 'object' ? part.key : part))
  return { path: keys.reduce<string>(childPath, '$'), message: issue.message }
}

/** The path of a child, as in `$.items[3]["odd key"]`. */
export function childPath(parent: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${parent}[${key}]`
  const name = String(key)
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${parent}.${name}` : `${parent}[${JSON.stringify(name)}]`
}
