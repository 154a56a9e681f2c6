import { Global, Injectable, Module } from '@nestjs/common'
import type { Duration } from '@pgq/core'
import { z } from 'zod'

const environment = z.object({
  /** What this process does. */
  ROLE: z.enum(['api', 'worker', 'all']).default('all'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  /** Without it the application starts a PostgreSQL of its own, which forgets everything when it ends. */
  DATABASE_URL: z.url().optional(),
  /** How long a worker may be silent before others take its jobs. */
  LEASE: z.templateLiteral([z.number(), z.enum(['ms', 's', 'm'])]).default('9s'),
  /** How long it takes to print an invoice, in ms. */
  PRINTING_MS: z.coerce.number().min(0).default(200),
})

/** What the environment says. */
@Injectable()
export class Config {
  readonly role: 'api' | 'worker' | 'all'
  readonly port: number
  readonly databaseUrl: string | undefined
  readonly lease: Duration
  readonly printingMs: number

  constructor() {
    const env = environment.parse(process.env)
    if (env.ROLE !== 'all' && env.DATABASE_URL === undefined)
      throw new Error(`ROLE=${env.ROLE} needs DATABASE_URL: the API and the worker meet in the database`)
    this.role = env.ROLE
    this.port = env.PORT
    this.databaseUrl = env.DATABASE_URL
    this.lease = env.LEASE
    this.printingMs = env.PRINTING_MS
  }
}

/** Makes the configuration available everywhere. */
@Global()
@Module({ providers: [Config], exports: [Config] })
export class ConfigModule {}
