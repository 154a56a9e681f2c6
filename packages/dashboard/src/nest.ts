/** The dashboard in a Nest application: its guards, and those of the application, apply. */
import type { ServerResponse } from 'node:http'
import {
  All,
  type CanActivate,
  Controller,
  type DynamicModule,
  Inject,
  type InjectionToken,
  Module,
  type ModuleMetadata,
  type OnModuleDestroy,
  type OptionalFactoryDependency,
  Req,
  Res,
  type Type,
  UseGuards,
} from '@nestjs/common'
import type { Pgq } from '@pgq/core'
import { DashboardHost } from './dashboard.ts'
import type { DashboardOptions } from './dashboard-options.ts'
import { bridge, type MountedRequest } from './node-bridge.ts'

export type { Access, Authorization, Grant } from './access.ts'
export type { AuditAction, AuditEvent } from './audit.ts'
export type { DashboardOptions } from './dashboard-options.ts'
export type { MountedRequest } from './node-bridge.ts'

/** What the factory makes. */
export interface NestDashboardOptions extends Omit<DashboardOptions<MountedRequest>, 'basePath'> {
  readonly pgq: Pgq
}

/** How the module is set up. */
export interface DashboardModuleOptions {
  /** Where it is mounted, such as `admin/jobs`: below the global prefix, if there is one. */
  readonly path: string
  /** Run before anything of the dashboard. @default none but the global ones */
  readonly guards?: readonly (Type<CanActivate> | CanActivate)[]
  readonly imports?: NonNullable<ModuleMetadata['imports']>
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[]
  // oxlint-disable-next-line typescript/no-explicit-any -- it gets what `inject` names
  readonly useFactory: (...injected: any[]) => NestDashboardOptions | Promise<NestDashboardOptions>
}

/** Express says which route it was that matched. */
type RoutedRequest = MountedRequest & { readonly route?: { readonly path: string } }

const HOST = Symbol('pgq dashboard')

/** A module with one controller. */
@Module({})
export class PgqDashboardModule {
  /**
   * Mounts a dashboard, on Nest's Express platform.
   * @example
   * PgqDashboardModule.register({ path: 'admin/jobs', guards: [AdminGuard], inject: [getPgqToken()], useFactory: (pgq) => ({ pgq, authorize: () => 'write' }) })
   */
  static register({
    path,
    guards = [],
    imports = [],
    inject = [],
    useFactory,
  }: DashboardModuleOptions): DynamicModule {
    return {
      module: PgqDashboardModule,
      imports,
      controllers: [controllerAt(path, guards)],
      providers: [
        {
          provide: HOST,
          inject,
          // oxlint-disable-next-line typescript/no-explicit-any -- see `DashboardModuleOptions`
          useFactory: async (...injected: any[]) => {
            const { pgq, ...options } = await useFactory(...injected)
            return new DashboardHost<MountedRequest>(pgq, options)
          },
        },
      ],
    }
  }
}

/** Each mount has a class of its own: two of them may have other paths and guards. */
function controllerAt(path: string, guards: NonNullable<DashboardModuleOptions['guards']>): Type {
  @Controller(path)
  @UseGuards(...guards)
  class DashboardController implements OnModuleDestroy {
    readonly #host: DashboardHost<MountedRequest>

    constructor(@Inject(HOST) host: DashboardHost<MountedRequest>) {
      this.#host = host
    }

    @All(['', '*path'])
    async answer(@Req() req: RoutedRequest, @Res() res: ServerResponse): Promise<void> {
      await bridge(req, res, (request) =>
        this.#host.answer(request, req, basePathOf(new URL(request.url).pathname, req.route?.path ?? path)),
      )
    }

    onModuleDestroy(): void {
      this.#host.close()
    }
  }
  return DashboardController
}

/** As many segments as the route has before its wildcard: whatever the prefix of the application, and the version of the route. */
function basePathOf(pathname: string, route: string): string {
  const depth = route.split('/').filter((segment) => segment !== '' && !segment.startsWith('*')).length
  return pathname
    .split('/')
    .slice(0, depth + 1)
    .join('/')
}
