import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from '@pgq/test-support'

const packages = fileURLToPath(new URL('../../../', import.meta.url))
const nestFolder = join(
  packages,
  process.env['NEST_MAJOR'] === '11' ? 'nest/test/nest-11' : 'nest',
  'node_modules',
)
const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url))

/** A process of an application that is outside of the workspace. */
export interface AppProcess {
  /** The lines that it has written, each as the JSON that it is. */
  readonly lines: readonly Record<string, unknown>[]
  /** Waits for a line that has this. */
  said(what: string): Promise<Record<string, unknown>>
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/**
 * Starts a fixture in a folder outside of the workspace, which has what `npm install` would put there: the built packages, and the
 * Nest that the suite runs on. So it also shows that what is published resolves, and that Nest is there once.
 */
export function startOutside(fixture: string, env: Readonly<Record<string, string>>): AppProcess {
  const folder = mkdtempSync(join(tmpdir(), 'pgq-nest-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  install(folder)
  cpSync(join(fixtures, fixture), join(folder, fixture))
  const child = spawn(process.execPath, [join(folder, fixture)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  })
  return processOf(child)
}

function install(folder: string): void {
  for (const name of ['core', 'nest']) {
    const target = join(folder, 'node_modules/@pgq', name)
    mkdirSync(target, { recursive: true })
    cpSync(join(packages, name, 'dist'), join(target, 'dist'), { recursive: true })
    const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8')) as Record<
      string,
      object
    >
    writeFileSync(join(target, 'package.json'), JSON.stringify({ ...manifest, ...manifest['publishConfig'] }))
  }
  const links: readonly (readonly [string, string])[] = [
    ...['common', 'core', 'platform-express'].map((name) => [`@nestjs/${name}`, nestFolder] as const),
    ['reflect-metadata', nestFolder],
    ['rxjs', nestFolder],
    ['pg', join(packages, 'core/node_modules')],
    ['uuidv7', join(packages, 'core/node_modules')],
    ['croner', join(packages, 'core/node_modules')],
  ]
  for (const [name, from] of links) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true })
    symlinkSync(realpathSync(join(from, name)), join(folder, 'node_modules', name))
  }
}

function processOf(child: ChildProcess): AppProcess {
  const lines: Record<string, unknown>[] = []
  let complaint = ''
  if (!child.stdout || !child.stderr) throw new Error('the process has no output')
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line) as Record<string, unknown>))
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  let isGone = false
  const exited = once(child, 'close').then(([code, signal]) => {
    isGone = true
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return {
    lines,
    kill: (signal) => void child.kill(signal),
    exited,
    said: (what) =>
      until(`the process says ${what}; it complained: ${complaint}`, () => {
        const line = lines.find((one) => what in one)
        if (!line && isGone) throw new Error(`the process is gone and never said ${what}: ${complaint}`)
        return line
      }),
  }
}
