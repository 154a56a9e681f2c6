import { z } from 'zod'

/** PostgreSQL holds no NUL and no half of a surrogate pair; without this they would be an error of its own, and a 500. */
const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()

/** What a customer sends. Everything has bounds that the columns have too. */
export const newOrder = z.object({
  customer: z.email().max(254),
  item: z.string().min(1).max(200).refine(isStorable, 'has characters that cannot be stored'),
  cents: z.int().min(1).max(2_147_483_647),
})

export type NewOrder = z.infer<typeof newOrder>
