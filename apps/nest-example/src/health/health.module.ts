import { Module } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { PgqHealthIndicator } from '@pgq/nest/terminus'
import { HealthController } from './health.controller.ts'

@Module({ imports: [TerminusModule], controllers: [HealthController], providers: [PgqHealthIndicator] })
export class HealthModule {}
