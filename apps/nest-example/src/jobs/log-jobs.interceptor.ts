import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
} from '@nestjs/common'
import { PgqExecutionContext } from '@pgq/nest'
import { type Observable, tap } from 'rxjs'

/** A line for each job: an interceptor as for requests, around processors. */
@Injectable()
export class LogJobs implements NestInterceptor {
  private readonly logger = new Logger('Jobs')

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { id, queue, attempt } = PgqExecutionContext.create(context).getJob()
    const what = `${context.getClass().name}: ${queue} ${id}, attempt ${attempt}`
    this.logger.log(`${what} begins`)
    return next.handle().pipe(tap(() => this.logger.log(`${what} is done`)))
  }
}
