import { inject } from 'vitest'

/** Whether tests reach the server through a pooler of transactions: it tells of nothing, keeps connections open, and logs in as whom it is told to. */
export const isPooled = inject('databaseUrl') !== inject('directUrl')
