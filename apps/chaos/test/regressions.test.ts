import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { play } from '../src/mutants/play.ts'
import { Server } from '../src/server.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'chaos-regressions-'))
let server: Server
beforeAll(async () => {
  server = await Server.start()
})
afterAll(async () => {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
})

// Found by seed 11: what a settle accepts, and the results that it writes, are told apart by the job's id, so no two claims of
// one job may share a statement.
test('of two claims of a job that are settled by one statement, one is accepted, with its own result', async () => {
  const { findings, shortest } = await play({
    server,
    directory,
    core: undefined,
    scenario: 'same-batch',
    name: 'same-batch',
  })
  expect(findings, shortest.join('\n')).toEqual([])
})
