import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Endpoint } from './endpoint.ts'

/** Euros for one unit, made up. */
const RATES = new Map([
  ['EUR', 1],
  ['USD', 0.92],
  ['GBP', 1.17],
  ['CHF', 1.04],
  ['PLN', 0.23],
  ['JPY', 0.0061],
  ['KWD', 2.99],
])

/**
 * Opens a service of somebody else, as they are: it takes its time, and for about one webhook in seven it fails the first time,
 * or the first two. Which ones depends on their ids alone, so that every run has the same failures.
 */
export function openFlakyExchange(): Promise<Endpoint> {
  const failed = new Map<string, number>()
  return Endpoint.open((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://exchange')
    const webhookId = searchParams.get('for') ?? ''
    const failures = failed.get(webhookId) ?? 0
    const fails = failures < failuresFor(webhookId)
    if (fails) failed.set(webhookId, failures + 1)
    void answer(response, { webhookId, rate: RATES.get(searchParams.get('currency') ?? ''), fails })
  })
}

async function answer(
  response: ServerResponse,
  { webhookId, rate, fails }: { webhookId: string; rate: number | undefined; fails: boolean },
): Promise<void> {
  await sleep(delayFor(webhookId))
  const [status, body] = fails
    ? [503, { error: 'come back later' }]
    : rate === undefined
      ? [404, { error: 'no such currency' }]
      : [200, { rate }]
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** Once for 12% of the webhooks, twice for 3% more. */
function failuresFor(webhookId: string): number {
  const chance = share(`${webhookId} fails`)
  if (chance < 0.03) return 2
  return chance < 0.15 ? 1 : 0
}

/** Mostly 30 to 110 ms; for every tenth webhook up to 400. */
function delayFor(webhookId: string): number {
  const slow = share(`${webhookId} is slow`) < 0.1
  return 30 + share(`${webhookId} takes`) * (slow ? 370 : 80)
}

/** A number from 0 to 1 that looks random and is the same for the same text. */
function share(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
}
