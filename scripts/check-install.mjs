// Installs the tarballs of the public packages with npm into empty projects outside of the workspace, as users do, compiles
// what stands in `consumers` against them, strictly and with the declarations of the packages, and runs it and the command line: as ES
// modules with the newest Nest, and as CommonJS with the oldest one that is supported.
import { startPostgres } from '@pgq/embedded-postgres'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, withTarballs } from './pack-packages.mjs'

const consumers = join(root, 'scripts/consumers')
/** Declarations of other packages that do not compile by themselves: they name packages that are not installed with them. */
const ERROR_IN_OTHERS = /^node_modules\/(?!@pgq\/)/

try {
  await withTarballs(async (tarballs) => {
    for (const kind of ['esm', 'commonjs']) await checkProject(kind, tarballs)
  })
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

async function checkProject(kind, tarballs) {
  const directory = mkdtempSync(join(tmpdir(), `pgq-${kind}-`))
  try {
    cpSync(join(consumers, 'src'), join(directory, 'src'), { recursive: true })
    cpSync(join(consumers, 'tsconfig.json'), join(directory, 'tsconfig.json'))
    const manifest = JSON.parse(readFileSync(join(consumers, `${kind}.json`), 'utf8'))
    for (const [name, tarball] of tarballs) manifest.dependencies[name] = `file:${tarball}`
    writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest, null, 2))
    execute(kind, directory, 'npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'])
    compile(kind, directory)
    await runIt(kind, directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** With `skipLibCheck` off: our declarations must be right, and so must those that they lead to. */
function compile(kind, directory) {
  const tsc = join(directory, 'node_modules/.bin/tsc')
  const { stdout } = spawnSync(tsc, ['--pretty', 'false'], { cwd: directory, encoding: 'utf8' })
  const errors = stdout.split('\n').filter((line) => line.includes('error TS'))
  const ours = errors.filter((line) => !ERROR_IN_OTHERS.test(line))
  console.log(
    `${kind}: compiled, with ${errors.length - ours.length} errors in declarations of others and ${ours.length} elsewhere`,
  )
  if (ours.length > 0) throw new Error(ours.join('\n'))
}

async function runIt(kind, directory) {
  const postgres = await startPostgres()
  try {
    const env = { DATABASE_URL: postgres.url }
    const output = execute(kind, directory, process.execPath, ['dist/main.js'], env)
    if (!output.includes('works')) throw new Error(`${kind}: it ended without a word`)
    // The command line, on the schema that was migrated meanwhile.
    execute(kind, directory, join(directory, 'node_modules/.bin/pgq'), ['migrate', '--check'], env)
    console.log(`${kind}: ran`)
  } finally {
    await postgres.stop()
  }
}

function execute(kind, cwd, command, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 300_000,
  })
  if (status === 0) return stdout
  throw new Error(`${kind}: ${command} ${args.join(' ')} failed\n${stdout}${stderr}`)
}
