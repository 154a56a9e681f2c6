import type { ContestantName } from '../roster.ts'
import type { OpenContestant } from './contestant.ts'

/** Loads the code of one contestant, and of no other. */
export async function loadContestant(name: ContestantName): Promise<OpenContestant> {
  switch (name) {
    case 'pgq':
      return (await import('./pgq.ts')).openPgq
    case 'floor':
      return (await import('./floor.ts')).openFloor
    case 'bullmq-redis':
      return (await import('./bullmq-redis.ts')).openBullmqRedis
    case 'bullmq-postgres':
      return (await import('./bullmq-postgres.ts')).openBullmqPostgres
    case 'graphile-worker':
      return (await import('./graphile-worker.ts')).openGraphileWorker
    case 'pg-boss':
      return (await import('./pg-boss.ts')).openPgBoss
    case 'pg-boss-work':
      return (await import('./pg-boss.ts')).openPgBossWork
  }
}
