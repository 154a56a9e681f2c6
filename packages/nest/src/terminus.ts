/** Health of the queue for `@nestjs/terminus`. */
export { PgqHealthIndicator, type PgqHealthOptions } from './pgq-health-indicator.ts'
