// Gives a built package an entry for CommonJS: `index.cjs`, which hands on the ES module, and all declarations once more
// as `.d.cts`. In a CommonJS project TypeScript takes those declarations of drizzle-orm that are meant for it, and holds
// its classes for others than those of the ES modules; ours must lead to the same ones.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const dist = join(process.cwd(), 'dist')
writeFileSync(join(dist, 'index.cjs'), `'use strict'\nmodule.exports = require('./index.js')\n`)
for (const file of readdirSync(dist, { recursive: true }).filter((name) => name.endsWith('.d.ts'))) {
  const text = readFileSync(join(dist, file), 'utf8')
    .replaceAll(/(from |import\()(['"])(\.[^'"]*)\.(?:js|ts)\2/g, '$1$2$3.cjs$2')
    .replace(/^\/\/# sourceMappingURL=.*$/m, '')
  writeFileSync(join(dist, file.replace(/\.d\.ts$/, '.d.cts')), text)
}
