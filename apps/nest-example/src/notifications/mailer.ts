import { Injectable } from '@nestjs/common'
import { Database } from '../database/database.ts'

/** Stands for a provider of e-mail. As those do, it takes a key, and sends what it has sent before under that key no second time. */
@Injectable()
export class Mailer {
  constructor(private readonly database: Database) {}

  async send(mail: { readonly to: string; readonly body: string; readonly key: string }): Promise<void> {
    await this.database.pool.query(
      'INSERT INTO sent_mails (idempotency_key, recipient, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [mail.key, mail.to, mail.body],
    )
  }
}
