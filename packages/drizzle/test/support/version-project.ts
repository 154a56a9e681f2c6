import { join } from 'node:path'
import { mergeConfig, type UserWorkspaceConfig } from 'vitest/config'
import { testProject } from '../../../../scripts/vitest-project.ts'

/** The tests of this package on another version of Drizzle: on the one that is installed in `directory`. */
export function versionProject(name: string, directory: string): UserWorkspaceConfig {
  return mergeConfig(testProject(name), {
    resolve: { alias: { 'drizzle-orm': join(directory, 'node_modules/drizzle-orm') } },
    test: { dir: join(directory, '../..') },
  })
}
