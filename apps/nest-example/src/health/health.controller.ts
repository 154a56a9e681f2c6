import { Controller, Get } from '@nestjs/common'
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus'
import { PgqHealthIndicator } from '@pgq/nest/terminus'

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly pgq: PgqHealthIndicator,
  ) {}

  /** 503 without a database or a running worker; 200 and degraded when jobs have waited for five minutes. */
  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.pgq.check('jobs', { maxOldestDue: '5m' })])
  }
}
