import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { extractSnippets } from './extract-snippets.ts'

/** A snippet, written to where a compiler and Node find it. */
export interface WrittenSnippet {
  /** The document and the line, as in `README.md:12`. */
  readonly name: string
  readonly file: string
  readonly run: boolean
}

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Inside this package, so that imports resolve as they do for its dependencies. */
export const snippetDirectory: string = fileURLToPath(new URL('../.snippets', import.meta.url))

/** The documents whose code must work: the README of the repository and of each package. */
function documents(): readonly string[] {
  const readmes = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'README.md'))
  return ['README.md', ...readmes].filter((document) => existsSync(join(root, document)))
}

/** Writes all snippets of all documents, each into a file of its own, with a tsconfig that checks them. */
export function writeSnippets(): readonly WrittenSnippet[] {
  rmSync(snippetDirectory, { recursive: true, force: true })
  mkdirSync(snippetDirectory)
  writeFileSync(join(snippetDirectory, 'tsconfig.json'), JSON.stringify(tsconfig))
  return documents().flatMap((document) =>
    extractSnippets(readFileSync(join(root, document), 'utf8')).map(({ line, run, code }) => {
      const file = join(snippetDirectory, `${document.replaceAll('/', '-')}-${line}.ts`)
      writeFileSync(file, `${code}\n`)
      return { name: `${document}:${line}`, file, run }
    }),
  )
}

const tsconfig = {
  extends: '../../../tsconfig.json',
  // An example may name something only to show it, and reads its environment as everyone does.
  compilerOptions: {
    noUnusedLocals: false,
    noUnusedParameters: false,
    noPropertyAccessFromIndexSignature: false,
  },
  include: ['*.ts'],
}
