// Runs the test files that failed in a report of vitest once more, one at a time: `node scripts/test-again.mjs report.json again.json`.
// A machine that is busy with three other files may keep a test from what it waits for, and then it passes alone. What fails
// twice is broken. What passed now is named, so that nobody takes it for steady.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** If more files fail than these, it is not the machine. */
const MOST_FILES = 12
const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = path.join(root, 'node_modules/.bin/vitest')

/** Whether all files that failed have passed now. `again` is where the report of the second run goes. */
export function passesAgain(report, again, env = process.env) {
  if (!existsSync(report)) return false
  const files = JSON.parse(readFileSync(report, 'utf8'))
    .testResults.filter(({ status }) => status === 'failed')
    .map(({ name }) => path.relative(root, name))
  if (files.length === 0 || files.length > MOST_FILES) return false
  console.log(`\nOnce more, one at a time: ${files.join(', ')}`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${again}`]
  const run = spawnSync(vitest, ['run', '--maxWorkers=1', ...reporters, ...files], {
    cwd: root,
    env,
    stdio: 'inherit',
  })
  if (run.status === 0) console.log(`\nUnsteady, passed alone: ${files.join(', ')}`)
  return run.status === 0
}

const [, self, report, again] = process.argv
if (self === fileURLToPath(import.meta.url)) process.exitCode = passesAgain(report, again) ? 0 : 1
