import { defineQueue } from '@pgq/core'
import { z } from 'zod'

/** What customers are to be told. */
export const notificationsQueue = defineQueue('shop.notification', {
  payload: z.object({ customer: z.email(), text: z.string() }),
  timeout: '30s',
})
