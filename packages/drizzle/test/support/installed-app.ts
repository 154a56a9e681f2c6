import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** An application outside of the workspace that has this package installed, beside the version of Drizzle under test. */
export interface InstalledApp {
  readonly directory: string
  write(file: string, text: string): Promise<void>
  /** Runs a script of an installed package, in the application's directory. */
  run(script: string, ...args: string[]): Promise<{ readonly code: number | null; readonly output: string }>
}

const packageDirectory = fileURLToPath(new URL('../..', import.meta.url))
const ours = join(packageDirectory, 'node_modules')
const versions = process.env['DRIZZLE_ORM'] ? dirname(process.env['DRIZZLE_ORM']) : ours

/** Whether the version under test is one of 1.0. */
export const isVersion1 = versions.includes('1.0')

const links: Record<string, string> = {
  'drizzle-orm': join(versions, 'drizzle-orm'),
  'drizzle-kit': join(versions, 'drizzle-kit'),
  '@pgq/core': join(ours, '@pgq/core'),
  '@electric-sql/pglite': join(ours, '@electric-sql/pglite'),
  '@types/node': join(ours, '@types/node'),
  '@types/pg': join(ours, '@types/pg'),
  pg: join(ours, 'pg'),
  postgres: join(ours, 'postgres'),
  typescript: join(ours, 'typescript'),
  zod: join(ours, 'zod'),
}

/** Makes one for the length of a test. The built package is copied and not linked, so that it finds the same Drizzle. */
export async function installApp(): Promise<InstalledApp> {
  const directory = await mkdtemp(join(tmpdir(), 'pgq-drizzle-app-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const modules = join(directory, 'node_modules')
  for (const scope of ['@pgq', '@types', '@electric-sql'])
    await mkdir(join(modules, scope), { recursive: true })
  for (const [name, target] of Object.entries(links)) await symlink(target, join(modules, name))
  for (const part of ['package.json', 'dist']) {
    await cp(join(packageDirectory, part), join(modules, '@pgq/drizzle', part), { recursive: true })
  }
  await writeFile(join(directory, 'package.json'), '{ "name": "shop", "type": "module", "private": true }')
  return {
    directory,
    write: (file, text) => writeFile(join(directory, file), text),
    run: async (script, ...args) => {
      const child = spawn(process.execPath, [join(modules, script), ...args], { cwd: directory })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (output += String(chunk)))
      const [code] = (await once(child, 'close')) as [number | null]
      return { code, output }
    },
  }
}
