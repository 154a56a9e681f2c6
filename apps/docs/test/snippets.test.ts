import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { withFreshDatabase } from '../src/fresh-database.ts'
import { snippetDirectory, writeSnippets } from '../src/write-snippets.ts'

const tsc = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url))
const runner = fileURLToPath(new URL('../src/run-snippet.mjs', import.meta.url))
const timeoutMs = 30_000

interface Outcome {
  readonly failed: boolean
  readonly output: string
}

function run(command: string, parameters: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const options = { cwd: snippetDirectory, env: { ...process.env, ...env }, timeout: timeoutMs }
  return new Promise((resolve) => {
    execFile(command, parameters, options, (error, stdout, stderr) => {
      resolve({ failed: error !== null, output: stdout + stderr })
    })
  })
}

const snippets = writeSnippets()

test.skipIf(snippets.length === 0)('every snippet compiles', { timeout: timeoutMs }, async () => {
  const { failed, output } = await run(tsc, ['-p', snippetDirectory])
  expect(failed, output).toBe(false)
})

for (const { name, file } of snippets.filter((snippet) => snippet.run)) {
  test(`${name} runs`, { timeout: timeoutMs }, async () => {
    const { failed, output } = await withFreshDatabase(inject('databaseUrl'), (url) =>
      run(process.execPath, [runner, file], { DATABASE_URL: url }),
    )
    expect(failed, output).toBe(false)
  })
}
