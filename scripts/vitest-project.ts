import { fileURLToPath } from 'node:url'
import { defineProject, type UserWorkspaceConfig } from 'vitest/config'

/** What a package's tests need besides. */
export interface TestProjectOptions {
  /** Whether there are type tests, in `*.test-d.ts`. Default: false. */
  readonly typeTests?: boolean
  /** Whether its sources have decorators whose metadata is needed, as Nest's injection does. Default: false. */
  readonly decorators?: boolean
}

/**
 * The vitest project of one package or app. Its tests run straight from the sources of every
 * workspace package, so they need no build and coverage points at the right lines.
 */
export function testProject(
  name: string,
  { typeTests = false, decorators = false }: TestProjectOptions = {},
): UserWorkspaceConfig {
  return defineProject({
    resolve: { conditions: ['@pgq/source'] },
    ssr: { resolve: { conditions: ['@pgq/source'] } },
    ...(decorators && { oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } } }),
    test: {
      name,
      include: ['test/**/*.test.ts'],
      // Against hanging, not against slowness: the machine may be busy with something else.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      typecheck: {
        enabled: typeTests,
        include: ['test/**/*.test-d.ts'],
        tsconfig: fileURLToPath(new URL('../tsconfig.json', import.meta.url)),
      },
    },
  })
}
