import { z } from 'zod'

/** What a customer sends. */
export const newOrder = z.object({
  customer: z.email(),
  item: z.string().min(1).max(200),
  cents: z.int().min(1),
})

export type NewOrder = z.infer<typeof newOrder>
