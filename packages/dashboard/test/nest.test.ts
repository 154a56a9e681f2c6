import 'reflect-metadata'
import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type INestApplication,
  Module,
  type ModuleMetadata,
  VersioningType,
} from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import type { Pgq } from '@pgq/core'
import { cleanUpAfterwards } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { type DashboardModuleOptions, type MountedRequest, PgqDashboardModule } from '../src/nest.ts'
import { freshQueue } from './support/fresh-queue.ts'
import { FROM_OUR_PAGE } from './support/visitor.ts'

const PGQ = Symbol('pgq')
const USERS = Symbol('users')

/** Who is let in is told by a provider: guards are injected like everything else. */
@Injectable()
class AdminGuard implements CanActivate {
  constructor(@Inject(USERS) private readonly users: readonly string[]) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: { user?: string }; user?: string }>()
    request.user = request.headers.user ?? ''
    return this.users.includes(request.user)
  }
}

@Module({ providers: [{ provide: USERS, useValue: ['ada', 'eve'] }], exports: [USERS] })
class UsersModule {}

async function start(
  pgq: Pgq,
  options: Partial<DashboardModuleOptions> = {},
  {
    module = {},
    prepare = () => {},
  }: { module?: ModuleMetadata; prepare?: (app: INestApplication) => void } = {},
): Promise<string> {
  @Module({ providers: [{ provide: PGQ, useValue: pgq }], exports: [PGQ] })
  class QueueModule {}
  @Module({
    ...module,
    imports: [
      PgqDashboardModule.register({
        path: 'admin/jobs',
        imports: [QueueModule, UsersModule],
        inject: [PGQ],
        useFactory: (given: Pgq) => ({ pgq: given, authorize: () => 'write' }),
        ...options,
      }),
    ],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false })
  prepare(app)
  await app.listen(0, '127.0.0.1')
  cleanUpAfterwards(() => app.close())
  return app.getUrl()
}

const statusOf = async (address: string, headers: Record<string, string> = {}): Promise<number> => {
  const response = await fetch(address, { headers })
  await response.body?.cancel()
  return response.status
}

test('Nest mounts it below a global prefix and a version, with pages, files and calls', async () => {
  const { pgq } = await freshQueue()
  const url = await start(
    pgq,
    {},
    {
      prepare: (app) =>
        app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    },
  )
  const response = await fetch(`${url}/api/v1/admin/jobs`)
  expect([response.status, response.url]).toEqual([200, `${url}/api/v1/admin/jobs/`])
  const [, script = ''] = /src="(assets\/[^"]+)"/.exec(await response.text()) ?? []
  expect(await statusOf(`${url}/api/v1/admin/jobs/${script}`)).toBe(200)
  expect(await statusOf(`${url}/api/v1/admin/jobs/jobs/x`)).toBe(200)
  expect(await statusOf(`${url}/api/v1/admin/jobs/api/queues`)).toBe(200)
  const pause = { method: 'POST', headers: FROM_OUR_PAGE, body: '{"name":"mails"}' }
  const paused = await fetch(`${url}/api/v1/admin/jobs/api/queues/pause`, pause)
  expect(paused.status).toBe(200)
  expect((await pgq.queues())[0]?.pausedAt).toEqual(expect.any(Date))
})

test('its own guards apply to everything of it, and authorize gets the request that they have seen', async () => {
  const { pgq } = await freshQueue()
  const url = await start(pgq, {
    guards: [AdminGuard],
    useFactory: (given: Pgq) => ({
      pgq: given,
      authorize: (_: Request, req: MountedRequest & { user?: string }) =>
        req.user === 'ada' ? 'read' : 'none',
    }),
  })
  for (const path of ['', '/', '/jobs', '/api/queues', '/api/live'])
    expect(await statusOf(`${url}/admin/jobs${path}`, { user: 'bob' }), path).toBe(403)
  expect(await statusOf(`${url}/admin/jobs/api/queues`, { user: 'ada' })).toBe(200)
  expect(await statusOf(`${url}/admin/jobs/api/queues`, { user: 'eve' })).toBe(403)
})

test('guards of the whole application apply as well', async () => {
  const { pgq } = await freshQueue()
  const closed = { provide: APP_GUARD, useValue: { canActivate: () => false } }
  const url = await start(pgq, {}, { module: { providers: [closed] } })
  expect(await statusOf(`${url}/admin/jobs/api/queues`)).toBe(403)
})

test('an application does not start with a dashboard that nobody watches over', async () => {
  const { pgq } = await freshQueue()
  await expect(start(pgq, { useFactory: (given: Pgq) => ({ pgq: given }) as never })).rejects.toThrow(
    /authorize/,
  )
})

test('closing the application ends the live connections', async () => {
  const { pgq } = await freshQueue()
  let closing: INestApplication | undefined
  const url = await start(pgq, {}, { prepare: (app) => (closing = app) })
  const response = await fetch(`${url}/admin/jobs/api/live`)
  await closing?.close()
  expect(await response.text()).toContain('retry: ')
})
