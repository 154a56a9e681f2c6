import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { expect, test } from 'vitest'
import { PgqModule } from '../src/index.ts'
import { getPgqToken } from '../src/tokens.ts'
import { freshSchema } from './support/fresh-schema.ts'

const major = process.env['NEST_MAJOR'] ?? '12'

test('this suite runs on the Nest that it should', () => {
  const folder = major === '11' ? './nest-11/package.json' : '../package.json'
  const require = createRequire(fileURLToPath(new URL(folder, import.meta.url)))
  for (const name of ['common', 'core', 'testing', 'terminus', 'platform-express']) {
    const manifest = JSON.parse(readFileSync(manifestOf(require.resolve(`@nestjs/${name}`)), 'utf8')) as {
      version: string
    }
    expect(manifest.version.split('.')[0], name).toBe(major)
  }
  expect(require('@nestjs/common')).toHaveProperty('Module')
  expect(require('@nestjs/common').Module, 'one copy of Nest').toBe(Module)
  expect(require('@nestjs/core').NestFactory, 'one copy of Nest').toBe(NestFactory)
})

test('the library uses the same copy', async () => {
  const { options, schema } = await freshSchema()
  const module = await Test.createTestingModule({ imports: [PgqModule.forRoot(options)] }).compile()
  await module.init()
  expect(module.get<{ schema: string }>(getPgqToken()).schema).toBe(schema)
  await module.close()
})

/** The package.json of what a file belongs to. */
function manifestOf(file: string): string {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    try {
      if ((JSON.parse(readFileSync(path, 'utf8')) as { name?: string }).name?.startsWith('@nestjs/'))
        return path
    } catch {
      if (folder === dirname(folder)) throw new Error(`${file} belongs to no package`)
    }
  }
}
