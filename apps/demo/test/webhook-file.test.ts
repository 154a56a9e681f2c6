import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MalformedEvent, readPaymentEvent } from '../src/payment-event.ts'
import { readWebhooks } from '../src/webhook-file.ts'
import { runNode } from './run-node.ts'

test('the generator writes the file, byte for byte', async () => {
  const { code, stdout } = await runNode('data/make-webhooks.mjs')
  expect(code).toBe(0)
  // Not toBe: to print the difference of two texts of 1 MB takes for ever.
  expect(stdout === readFileSync(new URL('../data/webhooks.jsonl', import.meta.url), 'utf8')).toBe(true)
})

test('the file holds 1,000 webhooks, each with an id of its own', () => {
  const webhooks = readWebhooks()
  expect(webhooks).toHaveLength(1_000)
  expect(new Set(webhooks.map(({ id }) => id)).size).toBe(1_000)
})

test('four of them are malformed, each in another way', () => {
  const complaints = readWebhooks().flatMap(({ provider, body }) => {
    try {
      readPaymentEvent(provider, body)
      return []
    } catch (error) {
      return [error]
    }
  })
  expect(complaints.every((complaint) => complaint instanceof MalformedEvent)).toBe(true)
  expect(complaints.map((complaint) => (complaint as Error).message)).toEqual([
    'the body is not JSON, or not all of it',
    'the body is an HTML page',
    'amount.value: Invalid input: expected number, received string',
    'data.object: Invalid input: expected object, received undefined',
  ])
})
