import { setTimeout as sleep } from 'node:timers/promises'

/** An e-mail to send. */
export interface Mail {
  readonly to: string
  readonly text: string
  /** Two mails with the same key are one. */
  readonly idempotencyKey: string
  readonly signal: AbortSignal
}

/** Stands for a mail server: it takes its time, and refuses whoever is at bounces.example. */
export async function sendMail({ to, idempotencyKey, signal }: Mail): Promise<{ messageId: string }> {
  await sleep(20, undefined, { signal })
  if (to.endsWith('@bounces.example')) throw new Error(`550 no mailbox here by the name of ${to}`)
  return { messageId: `<${idempotencyKey}@mail.example>` }
}
