// oxlint-disable vitest/expect-expect -- the compiler expects
import { createPgq, type JobRecord } from '@pgq/core'
import type { RequestHandler } from 'express'
import { expectTypeOf, test } from 'vitest'
import { dashboardMiddleware, type MountedRequest } from '../src/express.ts'
import { type AuditEvent, dashboard, type Dashboard } from '../src/index.ts'
import { PgqDashboardModule } from '../src/nest.ts'

const pgq = createPgq({ connectionString: 'postgres://localhost/none' })

test('there is none without authorize, which answers with an access', () => {
  // @ts-expect-error -- nobody says who may see it
  dashboard(pgq, {})
  // @ts-expect-error -- a yes is not enough: it has to say what for
  dashboard(pgq, { authorize: () => true })
  // @ts-expect-error -- there is no such access
  dashboard(pgq, { authorize: async () => ({ access: 'admin' }) })
  // @ts-expect-error -- a mount knows where it is
  dashboardMiddleware(pgq, { authorize: () => 'read', basePath: '/x' })
  // @ts-expect-error -- neither here
  PgqDashboardModule.register({ path: 'jobs', useFactory: () => ({ pgq }) })
})

test('a handler takes a standard request, and a context when authorize wants one', () => {
  expectTypeOf(dashboard(pgq, { authorize: () => 'read' })).toEqualTypeOf<Dashboard>()
  expectTypeOf<Dashboard>().parameters.toEqualTypeOf<[request: Request]>()
  const withUser = dashboard<{ user: string }>(pgq, {
    authorize: async (request, { user }) => {
      expectTypeOf(request).toEqualTypeOf<Request>()
      return { access: 'write', actor: user }
    },
  })
  expectTypeOf(withUser).parameters.toEqualTypeOf<[request: Request, { user: string }]>()
  expectTypeOf(withUser).returns.resolves.toEqualTypeOf<Response>()
})

test('a mount is a handler for Express, whose request authorize gets', () => {
  interface UserRequest extends MountedRequest {
    readonly user?: string
  }
  const middleware = dashboardMiddleware<UserRequest>(pgq, {
    authorize: (_, req) => {
      expectTypeOf(req.user).toEqualTypeOf<string | undefined>()
      return 'none'
    },
    redact: (job) => {
      expectTypeOf(job).toEqualTypeOf<JobRecord>()
      return job
    },
    audit: (event) => expectTypeOf(event).toEqualTypeOf<AuditEvent>(),
  })
  expectTypeOf(middleware).toExtend<RequestHandler>()
})
