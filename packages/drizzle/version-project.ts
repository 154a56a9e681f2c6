import { join } from 'node:path'
import { mergeConfig, type UserWorkspaceConfig } from 'vitest/config'
import { testProject } from '../../scripts/vitest-project.ts'

/** The tests of this package on another version of Drizzle: on the one that is installed in `directory`. */
export function versionProject(name: string, directory: string): UserWorkspaceConfig {
  const drizzleOrm = join(directory, 'node_modules/drizzle-orm')
  return mergeConfig(testProject(name), {
    resolve: { alias: { 'drizzle-orm': drizzleOrm } },
    // The variable is for tests that start a process.
    test: { dir: join(directory, '../..'), env: { DRIZZLE_ORM: drizzleOrm } },
  })
}
