import type { Schema } from '@pgq/core'

/** A schema whose answer is a promise, as one with an asynchronous refinement has it: nothing is sent in the turn of the call. */
export const slowSchema: Schema = {
  '~standard': {
    version: 1,
    vendor: 'pgq',
    validate: async (value: unknown) => {
      await new Promise((resolve) => setImmediate(resolve))
      return { value }
    },
  },
}
