// Installs the dependencies where only Node and npm exist, so that `npm test` and `npm run demo` work on a
// fresh clone. It has no dependencies itself, and keeps stdout clean for whoever parses the demo's output.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const pnpm = fileURLToPath(new URL('../node_modules/.bin/pnpm', import.meta.url))
const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

// Under pnpm there is nothing to do: `verifyDepsBeforeRun` in pnpm-workspace.yaml has installed already.
if (!process.env['npm_config_user_agent']?.startsWith('pnpm/')) process.exitCode = install()

function install() {
  if (existsSync(pnpm)) return run(pnpm, ['install', '--reporter=silent'])
  console.error(`Installing the dependencies with ${packageManager}`)
  return run('npx', ['--yes', packageManager, 'install', '--reporter=append-only'])
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (error) console.error(`${command}: ${error.message}`)
  return status ?? 1
}
