import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { InvariantName } from '../checker/invariants.ts'
import type { ScenarioName } from './scenarios.ts'

/** A change of the built package: a text that must be there, and what stands in its place. */
interface Patch {
  /** A file of `dist`, without `.js`. */
  readonly file: string
  readonly find: string
  readonly replace: string
  /** Replace all of them; else there must be one only, or the first is meant. @default 'first' */
  readonly which?: 'first' | 'all'
}

/** A way to break the package. */
export interface Mutant {
  readonly name: string
  /** What it is, and whom it bit. */
  readonly breaks: string
  readonly patches: readonly Patch[]
  /** The story in which it shows. */
  readonly scenario: ScenarioName
  /** What the checker must see: one of these at least. */
  readonly violates: readonly InvariantName[]
}

const core = path.dirname(createRequire(import.meta.url).resolve('@pgq/core/package.json'))

/** Makes a broken copy of the built package in a directory. Returns the URL of its entry. Throws when a patch does not apply: the mutant has to follow the code. */
export function breed(mutant: Pick<Mutant, 'name' | 'patches'>, directory: string): string {
  const dist = path.join(core, 'dist')
  if (!existsSync(path.join(dist, 'index.js'))) throw new Error('core is not built: run pnpm build')
  const copy = path.join(directory, mutant.name)
  mkdirSync(copy, { recursive: true })
  cpSync(dist, path.join(copy, 'dist'), { recursive: true })
  cpSync(path.join(core, 'package.json'), path.join(copy, 'package.json'))
  symlinkSync(path.join(core, 'node_modules'), path.join(copy, 'node_modules'))
  for (const { file, find, replace, which = 'first' } of mutant.patches) {
    const target = path.join(copy, 'dist', `${file}.js`)
    const text = existsSync(target) ? readFileSync(target, 'utf8') : ''
    if (!text.includes(find))
      throw new Error(`the mutant ${mutant.name} no longer applies: ${file}.js does not contain ${find}`)
    writeFileSync(
      target,
      which === 'all' ? text.replaceAll(find, () => replace) : text.replace(find, () => replace),
    )
  }
  return pathToFileURL(path.join(copy, 'dist/index.js')).href
}
