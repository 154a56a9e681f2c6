import { fileURLToPath } from 'node:url'
import { mergeConfig } from 'vitest/config'
import { testProject } from '../../scripts/vitest-project.ts'

const nest11 = fileURLToPath(new URL('test/nest-11/node_modules/@nestjs/', import.meta.url))

/** The same suite on Nest 11. */
export default mergeConfig(testProject('nest-11', { decorators: true }), {
  resolve: { alias: [{ find: /^@nestjs\//, replacement: nest11 }] },
  test: { env: { NEST_MAJOR: '11' } },
})
