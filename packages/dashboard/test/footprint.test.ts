import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'

const path = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url))
/** The interface as it was built. */
const files = readdirSync(path('dist/ui'))
const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(path(`dist/ui/${file}`))).length, 0)

test('the whole interface is a script and a style of less than 60 KB compressed', () => {
  expect(files.toSorted()).toEqual(['app.css', 'app.js'])
  expect(bytes).toBeLessThan(60_000)
  expect(bytes).toBeGreaterThan(5_000)
})

test('the interface needs nothing from elsewhere, and makes no HTML out of text', () => {
  const script = readFileSync(path('dist/ui/app.js'), 'utf8')
  const style = readFileSync(path('dist/ui/app.css'), 'utf8')
  // Names of things in the DOM, which are never fetched.
  const namespaces = /http:\/\/www\.w3\.org\/[\w/]+/g
  expect(script.replaceAll(namespaces, '')).not.toMatch(/https?:\/\//)
  expect(style).not.toMatch(/@import|url\((?!data:)/)
  const sources = readdirSync(path('ui'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  )
  expect(sources.length).toBeGreaterThan(20)
  for (const name of sources)
    expect(readFileSync(path(`ui/${name}`), 'utf8'), name).not.toMatch(
      /dangerouslySetInnerHTML|innerHTML|eval\(/,
    )
})

test('whoever installs it gets no other package with it', () => {
  const manifest = JSON.parse(readFileSync(path('package.json'), 'utf8'))
  expect(manifest.dependencies).toBeUndefined()
  expect(manifest.optionalDependencies).toBeUndefined()
  expect(Object.keys(manifest.peerDependencies)).toEqual(['@nestjs/common', '@pgq/core'])
  expect(manifest.peerDependenciesMeta).toEqual({ '@nestjs/common': { optional: true } })
})
