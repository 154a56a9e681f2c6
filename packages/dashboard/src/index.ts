/** See and steer the jobs of pgq. Mounts for Express and Nest are entries of their own. */
export type { Access, Authorization, Grant } from './access.ts'
export type { AuditAction, AuditEvent } from './audit.ts'
export { dashboard, type Dashboard } from './dashboard.ts'
export type { DashboardOptions } from './dashboard-options.ts'
