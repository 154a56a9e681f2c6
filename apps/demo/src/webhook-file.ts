import { readFileSync } from 'node:fs'
import { z } from 'zod'

const webhook = z.object({
  id: z.string(),
  provider: z.enum(['stripe', 'adyen']),
  receivedAt: z.iso.datetime(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
})

/** A webhook as it came in. */
export type Webhook = z.infer<typeof webhook>

/** Reads the recorded webhooks; `make-webhooks.mjs` beside the file is what wrote them. */
export function readWebhooks(): Webhook[] {
  const text = readFileSync(new URL('../data/webhooks.jsonl', import.meta.url), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => webhook.parse(JSON.parse(line)))
}
