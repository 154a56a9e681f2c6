import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable, Logger } from '@nestjs/common'
import { isPgqError, type PgqError } from '@pgq/core'
import { problemOf } from '@pgq/core/problems'

/** Stands for every PgqError, of whichever copy of the package: Nest asks `instanceof`. */
// oxlint-disable-next-line typescript/no-extraneous-class -- it has to be something that `instanceof` takes
class AnyPgqError {
  static [Symbol.hasInstance](error: unknown): boolean {
    return isPgqError(error)
  }
}

/** What Express and Fastify call the same. */
interface HttpResponse {
  readonly headersSent?: boolean
  readonly sent?: boolean
  status(code: number): HttpResponse
  header(name: string, value: string): HttpResponse
  send(body: string): unknown
}

/**
 * Answers HTTP requests that ended in a PgqError with RFC 9457 problem details: 422 for a payload that its queue refuses, with what is
 * wrong where; 413, 400 and 409 for what else is the client's; 503 with Retry-After while the database is away. All others are Nest's
 * own 500, and what happened stays in the log. Errors that are not of pgq, and contexts that are not HTTP, are left to others.
 * @example
 * app.useGlobalFilters(new PgqExceptionFilter()) // or { provide: APP_FILTER, useClass: PgqExceptionFilter }, or @UseFilters(PgqExceptionFilter)
 */
@Injectable()
@Catch(AnyPgqError)
export class PgqExceptionFilter implements ExceptionFilter<PgqError> {
  readonly #logger = new Logger('PgqExceptionFilter')

  catch(error: PgqError, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error
    const response = host.switchToHttp().getResponse<HttpResponse>()
    const { problem, retryAfter } = problemOf(error)
    if (problem.status >= 500) this.#logger.error(error.message, error.stack)
    if (response.headersSent || response.sent) throw error // it can only be broken off
    if (retryAfter !== undefined) response.header('Retry-After', String(retryAfter))
    const [type, body] = problem.status === 500 ? NESTS_OWN : (['application/problem+json', problem] as const)
    response
      .status(problem.status)
      .header('Cache-Control', 'no-store')
      .header('Content-Type', type)
      .send(JSON.stringify(body))
  }
}

const NESTS_OWN = [
  'application/json; charset=utf-8',
  { statusCode: 500, message: 'Internal server error' },
] as const
