// Checks the tarballs of the public packages: that the manifest's entries exist and resolve (publint) and that their
// types do under every resolution mode of ESM (attw).
import { root, run, withTarballs } from './pack-packages.mjs'

await withTarballs((tarballs) => {
  for (const tarball of tarballs.values()) {
    run('publint', ['run', '--strict', tarball], root)
    run('attw', ['--profile', 'esm-only', tarball], root)
  }
}).catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
