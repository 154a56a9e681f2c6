import { join } from 'node:path'
import { mergeConfig } from 'vitest/config'
import { testProject } from '../../../../scripts/vitest-project.ts'

/** The tests of this package on Nest 11. */
export default mergeConfig(testProject('nest-11', { decorators: true }), {
  resolve: { alias: { '@nestjs': join(import.meta.dirname, 'node_modules/@nestjs') } },
  test: { dir: join(import.meta.dirname, '../..'), env: { NEST_MAJOR: '11' } },
})
