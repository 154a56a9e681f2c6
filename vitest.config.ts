import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: ['./scripts/vitest-database.ts'],
    projects: ['packages/*/vitest.config.ts', 'apps/*/vitest.config.ts'],
  },
  // For the global set-up, which runs outside the projects and uses a workspace package.
  resolve: { conditions: ['@pgq/source'] },
  ssr: { resolve: { conditions: ['@pgq/source'] } },
})
