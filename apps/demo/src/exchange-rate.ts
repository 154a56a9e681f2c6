import { z } from 'zod'

const answer = z.object({ rate: z.number().positive() })

/**
 * Asks the exchange for the rate of a currency to the euro.
 * @throws Error when the exchange doesn't answer as it should; that is worth another attempt
 */
export async function exchangeRate(
  exchangeUrl: string,
  question: { readonly currency: string; readonly webhookId: string; readonly signal: AbortSignal },
): Promise<number> {
  const url = new URL('/rate', exchangeUrl)
  url.searchParams.set('currency', question.currency)
  url.searchParams.set('for', question.webhookId)
  const response = await fetch(url, { signal: question.signal })
  if (!response.ok) throw new Error(`the exchange answered ${response.status} ${response.statusText}`)
  return answer.parse(await response.json()).rate
}
