import { chownSync, mkdtempSync, realpathSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Account, isOpenToAll } from './account.ts'

/** Where a server keeps its data. */
export interface ScratchOptions {
  /** The data must be on a disk. */
  readonly durable: boolean
  /** The directory to make it in; by default a temporary one that fits. */
  readonly parent?: string | undefined
}

/** A cluster is about 40 MB, a test run adds a few hundred; the 64 MB of a container's /dev/shm will not do. */
const roomyBytes = 2 ** 30
const tmpfsType = 0x01021994

/** Makes a directory of its own for one server. */
export function makeScratchDirectory(options: ScratchOptions, account: Account): string {
  const parent = options.parent ?? chooseParent(options.durable, account)
  const directory = mkdtempSync(path.join(realpathSync(parent), 'pgq-'))
  if (account.uid !== undefined && account.gid !== undefined) chownSync(directory, account.uid, account.gid)
  return directory
}

function chooseParent(durable: boolean, account: Account): string {
  const candidates = durable ? [tmpdir(), '/var/tmp'] : ['/dev/shm', tmpdir(), '/tmp']
  const parent = candidates.find((directory) => fits(directory, durable, account))
  if (parent === undefined) {
    throw new Error(`None of ${candidates.join(', ')} can hold the data of a server: pass the option dir`)
  }
  return parent
}

function fits(directory: string, durable: boolean, account: Account): boolean {
  try {
    const { type, bavail, bsize } = statfsSync(directory)
    if (durable && type === tmpfsType) return false
    // Memory is three times as fast for initdb, if there is enough of it.
    if (directory === '/dev/shm' && bavail * bsize < roomyBytes) return false
    return account.uid === undefined || isOpenToAll(directory)
  } catch {
    return false
  }
}
