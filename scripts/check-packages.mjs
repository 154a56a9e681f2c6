// Packs every public package as it would be published, and checks the tarballs: that the manifest's entries
// exist and resolve (publint) and that their types do under every resolution mode of ESM (attw).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (name) => join(root, 'node_modules/.bin', name)

const publicPackages = readdirSync(join(root, 'packages'))
  .map((name) => join(root, 'packages', name))
  .filter((directory) => existsSync(join(directory, 'package.json')))
  .filter((directory) => !JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).private)

const tarballs = mkdtempSync(join(tmpdir(), 'pgq-tarballs-'))
try {
  run('turbo', ['run', 'build', '--output-logs=errors-only'], root)
  for (const directory of publicPackages) run('pnpm', ['pack', '--pack-destination', tarballs], directory)
  for (const tarball of readdirSync(tarballs)) {
    run('publint', ['run', '--strict', join(tarballs, tarball)], root)
    run('attw', ['--profile', 'esm-only', join(tarballs, tarball)], root)
  }
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(tarballs, { recursive: true })
}

function run(command, args, cwd) {
  const { status } = spawnSync(bin(command), args, { cwd, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed in ${cwd}`)
}
