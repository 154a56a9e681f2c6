// Proves who imports whom. The tables below are the rule and its documentation:
//   - in packages/core/src a layer imports only the layers named beside it, and no package of ours;
//   - the other packages import core through its public entries, and never each other;
//   - no file reaches another in a circle, not even by `import type`: a reader follows that too;
//   - in packages/core/src SQL stands in sql/ and migrations/, nowhere else.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'vite'

/** From the ground up. A layer is a folder or a file of core/src; `folder/file` opens that one file only. */
const layers = {
  errors: [],
  runtime: ['errors'],
  retry: ['errors', 'runtime/duration'],
  cron: ['errors'],
  job: ['errors', 'retry', 'cron', 'runtime'],
  events: ['errors', 'job'],
  hooks: ['events', 'job'],
  sql: [],
  migrations: ['sql'],
  store: ['errors', 'runtime', 'cron', 'job', 'retry', 'sql', 'migrations', 'events'],
  notify: ['errors', 'runtime', 'events', 'sql', 'store'],
  client: ['errors', 'runtime', 'cron', 'retry', 'job', 'events', 'hooks', 'sql', 'store'],
  worker: ['errors', 'runtime', 'cron', 'retry', 'job', 'events', 'hooks', 'sql', 'store', 'notify'],
  maintenance: ['errors', 'runtime', 'cron', 'retry', 'job', 'events', 'sql', 'store', 'notify'],
  log: ['events'],
  http: ['errors'],
}
const grounded = Object.keys(layers)
layers.pgq = grounded
layers.problems = ['http']
layers.options = ['errors', 'runtime', 'job']
layers.index = [...grounded, 'pgq']

const sqlLayers = ['sql', 'migrations']
const sqlText = /\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\b/

const root = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url))
const packages = readPackages()
const publicEntries = entriesOf(packages.find(({ name }) => name === '@pgq/core'))
const problems = []
let fileCount = 0

for (const pkg of packages) {
  const sources = parseFolder(pkg, 'src')
  const tests = parseFolder(pkg, 'test')
  for (const file of [...sources, ...tests]) checkPackageBorders(pkg, file)
  if (pkg.name === '@pgq/core') for (const file of sources) checkCoreFile(pkg, file)
  findCircles(sources)
  fileCount += sources.length + tests.length
}

for (const problem of problems) console.error(problem)
console.log(`${fileCount} files, ${problems.length} layer problems`)
process.exitCode = problems.length > 0 ? 1 : 0

function readPackages() {
  return readdirSync(join(root, 'packages'))
    .map((folder) => join(root, 'packages', folder))
    .filter((directory) => existsSync(join(directory, 'package.json')))
    .map((directory) => ({ directory, ...JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) }))
}

function entriesOf(pkg) {
  return Object.keys(pkg.exports).map((entry) => join(pkg.name, entry))
}

function parseFolder(pkg, folder) {
  const directory = join(pkg.directory, folder)
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true })
    .filter((name) => /(?<!\.config)\.m?[jt]s$/.test(name) && !name.includes('node_modules'))
    .map((name) => parseFile(join(directory, name), folder))
}

/** What a file imports and the strings in it, from its syntax tree: comments do not count, templates do. */
function parseFile(path, folder) {
  const { program, errors } = parseSync(path, readFileSync(path, 'utf8'))
  if (errors.length > 0) problems.push(`${relative(root, path)}: ${errors[0].message}`)
  const file = { path, folder, imports: [], strings: [] }
  visitNodes(program, (node) => {
    if (typeof node.source?.value === 'string') file.imports.push(node.source.value)
    if (node.type === 'Literal' && typeof node.value === 'string') file.strings.push(node.value)
    if (node.type === 'TemplateElement') file.strings.push(node.value.raw)
  })
  return file
}

function visitNodes(node, visit) {
  if (Array.isArray(node)) for (const item of node) visitNodes(item, visit)
  if (typeof node?.type !== 'string') return
  visit(node)
  for (const child of Object.values(node)) if (typeof child === 'object') visitNodes(child, visit)
}

function checkPackageBorders(pkg, file) {
  for (const specifier of file.imports) {
    const allowed = specifier.startsWith('.')
      ? !relative(pkg.directory, join(dirname(file.path), specifier)).startsWith('..')
      : !specifier.startsWith('@pgq/') || isOpenTo(pkg, file, specifier)
    if (!allowed) report(file, `may not import ${specifier}`)
  }
}

/** Tests may use the private packages besides, which exist for them. */
function isOpenTo(pkg, file, specifier) {
  if (pkg.name !== '@pgq/core' && publicEntries.includes(specifier)) return true
  const isPrivate = packages.some(({ name, private: closed }) => closed && name === specifier)
  return file.folder === 'test' && (isPrivate || entriesOf(pkg).includes(specifier))
}

function checkCoreFile(pkg, file) {
  const from = moduleName(pkg, file.path)
  const allowed = layers[layerOf(from)]
  if (!allowed) return report(file, `belongs to no layer: add ${layerOf(from)} to scripts/check-layers.mjs`)
  for (const to of relativeImports(file).map((path) => moduleName(pkg, path))) {
    if (layerOf(to) === layerOf(from) || allowed.includes(layerOf(to)) || allowed.includes(to)) continue
    report(file, `${layerOf(from)} may not import ${to}`)
  }
  const statement = file.strings.find((text) => sqlText.test(text))
  if (statement !== undefined && !sqlLayers.includes(layerOf(from))) {
    report(file, `SQL belongs into ${sqlLayers.join('/ or ')}/: ${statement.trim().split('\n')[0]}`)
  }
}

function moduleName(pkg, path) {
  return relative(join(pkg.directory, 'src'), path).replace(/\.ts$/, '')
}

function layerOf(name) {
  return name.split('/')[0]
}

function relativeImports(file) {
  return file.imports
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => join(dirname(file.path), specifier))
}

function findCircles(files) {
  const graph = new Map(files.map((file) => [file.path, relativeImports(file)]))
  const done = new Set()
  const visit = (path, trail) => {
    const start = trail.indexOf(path)
    if (start >= 0)
      problems.push(`circle: ${[...trail.slice(start), path].map((p) => relative(root, p)).join(' -> ')}`)
    if (start >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
}

function report(file, what) {
  problems.push(`${relative(root, file.path)}: ${what}`)
}
