#!/usr/bin/env node
import { EXIT } from './exit-code.ts'
import { runCli } from './run-cli.ts'

const STREAMS = [process.stdout, process.stderr]
let isBroken = false

for (const stream of STREAMS) stream.on('error', onBrokenOutput)
const code = await runCli(process.argv.slice(2))
await Promise.all(STREAMS.map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))))
// Not by itself: what the module of a worker has left open would keep it.
process.exit(code)

/**
 * Whoever reads the output may have seen enough, as in `pgq jobs list | head`. What works until it is told to stop is told so;
 * everything else ends here.
 */
function onBrokenOutput(error: NodeJS.ErrnoException): void {
  if (isBroken) return
  isBroken = true
  if (!process.emit('SIGTERM', 'SIGTERM')) process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed)
}
