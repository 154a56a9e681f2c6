import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineQueue } from '../src/index.ts'
import { readPayload } from '../src/options.ts'

const queue = defineQueue('q', { payload: z.object({ at: z.coerce.date(), n: z.number().default(1) }) })

test('what a handler reads back is what enqueue stores, as the schema makes it', async () => {
  const at = new Date('2026-01-02T03:04:05Z')
  expect(await readPayload(queue, { at })).toEqual({ at, n: 1 })
})

test.each([
  ['INVALID_PAYLOAD', { at: 'never' }],
  ['INVALID_PAYLOAD', { at: '2026-01-01', n: Number.NaN }],
  ['INVALID_PAYLOAD', { at: '2026-01-01', more: 'a\0b' }],
  ['INVALID_PAYLOAD', undefined],
  ['PAYLOAD_TOO_LARGE', { at: '2026-01-01', more: 'x'.repeat(1_048_576) }],
])('what enqueue refuses with %s is refused', async (code, payload) => {
  await expect(readPayload(queue, payload as never)).rejects.toThrow(expect.objectContaining({ code }))
})
