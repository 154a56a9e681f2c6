import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: ['./scripts/vitest-database.ts'],
    // The tests mostly wait, for leases to run out and for processes to end: more of them than cores go on at once.
    maxWorkers: 3,
    projects: [
      'packages/*/vitest.config.ts',
      'packages/*/test/*/vitest.config.ts',
      'apps/*/vitest.config.ts',
    ],
  },
  // For the global set-up, which runs outside the projects and uses a workspace package.
  resolve: { conditions: ['@pgq/source'] },
  ssr: { resolve: { conditions: ['@pgq/source'] } },
})
