import { type HandleWithDrizzle, handleWithDrizzle } from '@pgq/drizzle'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'

/** Ties a function to a queue; what it writes through `ctx.tx` commits with the completion of its job. */
export const handle: HandleWithDrizzle<NodePgDatabase> = handleWithDrizzle((client): NodePgDatabase =>
  drizzle({ client }),
)
