import { defineQueue } from '@pgq/core'
import { z } from 'zod'

export const greetings = defineQueue('greeting', {
  payload: z.object({ name: z.string() }),
  result: z.string(),
})
export const letters = defineQueue('letter', { payload: z.object({ name: z.string() }), result: z.string() })
