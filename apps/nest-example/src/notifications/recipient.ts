import { Injectable, Scope } from '@nestjs/common'
import type { Job } from '@pgq/core'
import { InjectJob } from '@pgq/nest'

/** Whom the job at hand is for. Made for each job, so that what needs it need not be told. */
@Injectable({ scope: Scope.REQUEST })
export class Recipient {
  readonly address: string

  constructor(@InjectJob() job: Job<{ customer: string }>) {
    this.address = job.payload.customer
  }

  get greeting(): string {
    return `Dear ${this.address.split('@')[0]}`
  }
}
