// Builds and packs every public package as it would be published. Used by the checks of what is published.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** Packs them, calls `use` with the paths of the tarballs by name of the package, and removes the tarballs again. */
export async function withTarballs(use) {
  const directory = mkdtempSync(join(tmpdir(), 'pgq-tarballs-'))
  try {
    run('turbo', ['run', 'build', '--output-logs=errors-only'], root)
    const tarballs = new Map()
    for (const { path, name } of publicPackages()) {
      const before = new Set(readdirSync(directory))
      run('pnpm', ['pack', '--pack-destination', directory], path)
      const tarball = readdirSync(directory).find((file) => !before.has(file))
      tarballs.set(name, join(directory, tarball))
    }
    return await use(tarballs)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Runs one of the repository's own tools, and throws when it fails. */
export function run(command, args, cwd) {
  const { status } = spawnSync(join(root, 'node_modules/.bin', command), args, { cwd, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed in ${cwd}`)
}

function publicPackages() {
  return readdirSync(join(root, 'packages'))
    .map((folder) => join(root, 'packages', folder))
    .filter((path) => existsSync(join(path, 'package.json')))
    .map((path) => ({ path, ...JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) }))
    .filter((manifest) => manifest.private !== true)
}
