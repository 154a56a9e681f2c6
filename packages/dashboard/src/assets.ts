import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

/** One file of the interface. */
export interface Asset {
  readonly type: string
  readonly body: Uint8Array<ArrayBuffer>
  readonly gzipped: Uint8Array<ArrayBuffer>
  /** Its address, relative to the dashboard. It changes with what is in it. */
  readonly path: string
}

const TYPES = {
  'app.js': 'text/javascript; charset=utf-8',
  'app.css': 'text/css; charset=utf-8',
} as const

/** The interface, as it was built. */
export function readAssets(): { readonly [Name in keyof typeof TYPES]: Asset } {
  return { 'app.js': readAsset('app.js'), 'app.css': readAsset('app.css') }
}

/** From the sources as from what is built, `dist` is beside the folder of this file. */
function readAsset(name: keyof typeof TYPES): Asset {
  const body = new Uint8Array(readFileSync(new URL(`../dist/ui/${name}`, import.meta.url)))
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12)
  const [stem, extension] = name.split('.')
  return {
    type: TYPES[name],
    body,
    gzipped: new Uint8Array(gzipSync(body, { level: 9 })),
    path: `assets/${stem}-${hash}.${extension}`,
  }
}
