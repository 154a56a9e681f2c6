export { cleanUpAfterwards } from './clean-up.ts'
export { type Latch, latch } from './latch.ts'
export { dropSchema, freshName } from './schema.ts'
export { until } from './until.ts'
