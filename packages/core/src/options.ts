/** How pgq's packages check what they are given, so that every refusal reads alike. For packages that build on this one. */
export { show } from './errors.ts'
export { endingOf } from './job/endings.ts'
export { assertQueue } from './job/queue.ts'
export { readPayload } from './job/read-payload.ts'
export { flagOption, functionOption, integerOption, knownOptions, textOption } from './runtime/options.ts'
