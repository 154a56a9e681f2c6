// Runs one TypeScript module against the sources of the workspace; Node 20 alone cannot.
import process from 'node:process'
import { runnerImport } from 'vite'

await runnerImport(process.argv[2], {
  configFile: false,
  envFile: false,
  logLevel: 'error',
  // For the snippets about Nest.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve: { conditions: ['@pgq/source'] },
  ssr: { resolve: { conditions: ['@pgq/source'] } },
})
