// Builds the demo and everything it needs, then runs it with the arguments given to this script. The build
// speaks on stderr only: stdout belongs to the demo, whose `--json` is read by programs.
import { spawn, spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const turbo = fileURLToPath(new URL('../node_modules/.bin/turbo', import.meta.url))
const main = fileURLToPath(new URL('../apps/demo/dist/main.js', import.meta.url))

const build = spawnSync(turbo, ['run', 'build', '--filter=@pgq/demo...', '--output-logs=errors-only'], {
  cwd: root,
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'pipe'],
})
if (build.status === 0) runDemo()
else {
  process.stderr.write(build.error ? `${build.error.message}\n` : build.stdout + build.stderr)
  process.exitCode = build.status || 1
}

function runDemo() {
  const demo = spawn(process.execPath, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both processes: this one waits for the demo to finish in its own way.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => demo.kill(signal))
  demo.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : code
    for (const handled of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(handled)
  })
}
