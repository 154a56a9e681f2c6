import { fileURLToPath } from 'node:url'
import { defineProject, type UserWorkspaceConfig } from 'vitest/config'

/** What a package's tests need besides. */
export interface TestProjectOptions {
  /** Whether there are type tests, in `*.test-d.ts`. Default: false. */
  readonly typeTests?: boolean
  /** Whether its sources have decorators whose metadata is needed, as Nest's injection does. Default: false. */
  readonly decorators?: boolean
  /** Whether files share processes, one after the other: each saves the second or two that it takes to load the sources. Default: false. */
  readonly shared?: boolean
}

/**
 * The vitest project of one package or app. Its tests run straight from the sources of every
 * workspace package, so they need no build and coverage points at the right lines.
 */
export function testProject(
  name: string,
  { typeTests = false, decorators = false, shared = false }: TestProjectOptions = {},
): UserWorkspaceConfig {
  return defineProject({
    resolve: { conditions: ['@pgq/source'] },
    ssr: { resolve: { conditions: ['@pgq/source'] } },
    ...(decorators && { oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } } }),
    test: {
      name,
      include: ['test/**/*.test.ts'],
      setupFiles: [fileURLToPath(new URL('../packages/test-support/src/each-file.ts', import.meta.url))],
      isolate: !shared,
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
