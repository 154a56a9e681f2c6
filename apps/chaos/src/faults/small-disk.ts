import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** Enough for a server, its log and some minutes of history; in bytes. */
const DISK_BYTES = 4 * 2 ** 30

/**
 * A file system of its own for the server, in a file, so that it can be filled without filling anybody else's. Only root may
 * mount one; where that can't be done there is no full disk, and the run says so.
 */
export class SmallDisk {
  /** Where the server may put its data. */
  readonly directory: string
  readonly #root: string
  readonly #watch: ChildProcess

  private constructor(root: string, directory: string) {
    this.#root = root
    this.directory = directory
    // However this process ends, the mount goes with it.
    this.#watch = spawn(
      '/bin/sh',
      [
        '-c',
        'trap "" HUP INT TERM; read -r line; umount -l "$1"; rm -rf "$2"',
        'chaos-disk',
        directory,
        root,
      ],
      {
        detached: true,
        cwd: '/',
        stdio: ['pipe', 'ignore', 'ignore'],
      },
    )
    this.#watch.unref()
    ;(this.#watch.stdin as unknown as { unref?(): void } | null)?.unref?.()
  }

  /** Makes one, or says why not. */
  static make(): SmallDisk | string {
    if (process.platform !== 'linux' || process.getuid?.() !== 0)
      return 'only root can mount a disk that may be filled'
    const root = mkdtempSync(path.join(tmpdir(), 'chaos-'))
    const [image, directory] = [path.join(root, 'image'), path.join(root, 'disk')]
    chmodSync(root, 0o755)
    mkdirSync(directory)
    closeSync(openSync(image, 'w'))
    truncateSync(image, DISK_BYTES)
    for (const [command, ...args] of [
      ['mkfs.ext4', '-q', '-m', '0', image],
      ['mount', '-o', 'loop', image, directory],
    ] as const) {
      const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' })
      if (status === 0) continue
      rmSync(root, { recursive: true, force: true })
      return `${command} does not work here: ${error?.message ?? stderr.trim()}`
    }
    chmodSync(directory, 0o777)
    return new SmallDisk(root, directory)
  }

  /** Takes all the room there is, without writing any of it. The answer gives it back. */
  fill(): () => void {
    const ballast = path.join(this.directory, 'ballast')
    // The server goes on taking room meanwhile, so what is left is looked at again.
    for (let i = 0; i < 20; i++) {
      const { bavail, bsize } = statfsSync(this.directory)
      const bytes = Math.max(bavail * bsize, bsize)
      const { status } = spawnSync('fallocate', ['-l', String(bytes), `${ballast}-${i}`])
      if (status !== 0 && bavail === 0) break
    }
    return () => {
      for (let i = 0; i < 20; i++) rmSync(`${ballast}-${i}`, { force: true })
    }
  }

  /** Takes the disk away, once nothing runs on it. */
  async remove(): Promise<void> {
    const gone = new Promise((resolve) => this.#watch.once('close', resolve))
    this.#watch.ref()
    this.#watch.stdin?.end('done\n')
    await gone
    rmSync(this.#root, { recursive: true, force: true })
  }
}
