import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Account, isOpenToAll } from './account.ts'
import { type Binaries, programPath } from './binaries.ts'

/**
 * A directory from which `account` can run the binaries. That is where they are, unless a locked home
 * directory or a strict umask is in the way, or they are incomplete and cannot be completed in place:
 * then it is a copy in the temporary directory, made once for each release.
 */
export function runnableDirectory({ release, directory }: Binaries, account: Account): string {
  const reachable = account.uid === undefined || isOpenToAll(programPath(directory, 'postgres'))
  if (reachable && linkLibraries(directory)) return directory

  const copy = path.join(tmpdir(), `pgq-postgres-${release}-${process.getuid?.() ?? 0}`)
  if (existsSync(copy)) return ownCopy(copy)
  const staging = mkdtempSync(`${copy}.`)
  try {
    copyOpenToAll(directory, staging)
    linkLibraries(staging)
    return publish(staging, copy)
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

interface LibraryLink {
  readonly source: string
  readonly target: string
}

const linkList = (directory: string): string => path.join(directory, 'pg-symlinks.json')

/**
 * Makes the links between library names that npm cannot pack; the package's install script would, but
 * those are blocked here as they are with most people. False if the directory cannot be written.
 */
function linkLibraries(directory: string): boolean {
  if (!existsSync(linkList(directory))) return true
  const links = JSON.parse(readFileSync(linkList(directory), 'utf8')) as readonly LibraryLink[]
  return links.every(({ source, target }) => {
    // The list names paths from the package, of which the directory is `native`.
    const from = path.join(directory, path.relative('native', source))
    return link(from, path.join(directory, path.relative('native', target)))
  })
}

function link(from: string, to: string): boolean {
  try {
    symlinkSync(path.relative(path.dirname(to), from), to)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return true
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false
    throw error
  }
}

/** Copies a directory so that everyone can read and execute what is in it. */
function copyOpenToAll(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  chmodSync(to, 0o755)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)]
    if (entry.isDirectory()) copyOpenToAll(source, target)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else copyFile(source, target)
  }
}

/** A hard link costs nothing, but shares the mode, and cannot be had everywhere. */
function copyFile(source: string, target: string): void {
  const { mode } = lstatSync(source)
  const openMode = mode & 0o100 ? 0o755 : 0o644
  if ((mode & openMode) === openMode && hardLink(source, target)) return
  copyFileSync(source, target, constants.COPYFILE_FICLONE)
  chmodSync(target, openMode)
}

function hardLink(source: string, target: string): boolean {
  try {
    linkSync(source, target)
    return true
  } catch {
    return false
  }
}

/** Puts the copy in its final place in one step, because others may be making the same copy. */
function publish(staging: string, copy: string): string {
  try {
    renameSync(staging, copy)
  } catch (error) {
    if (!existsSync(copy)) throw error
  }
  return ownCopy(copy)
}

/** The temporary directory is everyone's: what somebody else put there must not be run. */
function ownCopy(copy: string): string {
  const status = lstatSync(copy)
  if (status.isDirectory() && status.uid === process.getuid?.()) return copy
  throw new Error(`${copy} belongs to somebody else: remove it`)
}
