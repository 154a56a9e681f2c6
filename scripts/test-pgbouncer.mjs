// Runs core's tests through a PgBouncer in transaction mode, or some of them: `pnpm test:pgbouncer packages/core/test/claim.test.ts`.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (name) => fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url))

const askVersion = () => spawnSync('pgbouncer', ['--version'], { encoding: 'utf8' })
if (askVersion().status !== 0) install()
const version = askVersion()
if (version.status !== 0) {
  console.log(
    'SKIPPED: there is no pgbouncer on this machine, and it cannot be installed. Distributions have it in a package of that name.',
  )
  process.exit(0)
}
console.log(version.stdout.split('\n')[0])

// What a pooler of transactions does not offer: notifications, sessions of the application's own, and the backend behind a connection.
const without = ['wake-up', 'listener', 'cancel-running', 'connections', 'connection-loss'].flatMap(
  (file) => ['--exclude', `**/${file}.test.ts`],
)

const run = (command, args, env = process.env) =>
  spawnSync(bin(command), args, { cwd: root, env, stdio: 'inherit' }).status ?? 1
const built = run('turbo', ['run', 'build', '--output-logs=errors-only'])
process.exitCode =
  built ||
  run('vitest', ['run', '--project', 'core', ...without, ...process.argv.slice(2)], {
    ...process.env,
    PGQ_POOLER: 'pgbouncer',
  })

/** From the distribution's packages, where there is apt and this is root; the tests start their own, so the service need not run. */
function install() {
  if (process.getuid?.() !== 0) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=60', ...args], { env, stdio: ['ignore', 2, 2] })
      .status === 0
  const ask = ['install', '--yes', '--no-install-recommends', 'pgbouncer']
  // Most images come without the lists of packages.
  if (!apt(...ask) && apt('update')) apt(...ask)
}
