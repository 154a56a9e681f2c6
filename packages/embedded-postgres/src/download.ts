import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const cacheDirectory = fileURLToPath(new URL('../../../node_modules/.cache/pgq-postgres', import.meta.url))

/**
 * The directory of a platform package that is not a dependency, installed into the workspace's cache the
 * first time. This keeps the majors that only compatibility runs need out of every fresh clone.
 */
export async function downloadRelease(
  platformPackage: string,
  release: string,
  log: (text: string) => void,
): Promise<string> {
  const installed = path.join(cacheDirectory, release)
  const packageDirectory = path.join(installed, 'node_modules', platformPackage)
  if (existsSync(packageDirectory)) return packageDirectory

  mkdirSync(cacheDirectory, { recursive: true })
  const unlock = await lock(`${installed}.lock`)
  try {
    if (!existsSync(packageDirectory)) await install(`${platformPackage}@${release}`, installed, log)
  } finally {
    unlock()
  }
  return packageDirectory
}

/** Installs beside the final place and renames, so that whatever stands there is complete. */
async function install(specifier: string, destination: string, log: (text: string) => void): Promise<void> {
  const staging = mkdtempSync(`${destination}.`)
  try {
    log(`Fetching ${specifier}\n`)
    await npmInstall(specifier, staging)
    // A temporary directory is its maker's alone, but the server runs as somebody else if that was root.
    chmodSync(staging, 0o755)
    renameSync(staging, destination)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

async function npmInstall(specifier: string, prefix: string): Promise<void> {
  const flags = [
    '--ignore-scripts',
    '--no-save',
    '--no-package-lock',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  const npm = spawn('npm', ['install', ...flags, '--prefix', prefix, specifier], {
    cwd: prefix,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaint = ''
  npm.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const [code] = (await once(npm, 'close')) as [number | null]
  if (code !== 0) throw new Error(`npm could not install ${specifier}:\n${complaint}`)
}

/**
 * Waits until no other process installs the same release. The lock only saves double work (the rename is
 * what keeps the cache whole), so one whose owner has died may simply be taken.
 */
async function lock(file: string): Promise<() => void> {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      return () => rmSync(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (ownerIsDead(file)) rmSync(file, { force: true })
    else await sleep(100)
  }
}

function ownerIsDead(file: string): boolean {
  try {
    const owner = Number(readFileSync(file, 'utf8'))
    // An empty file is a lock that is being written this very moment.
    if (owner > 0) process.kill(owner, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
