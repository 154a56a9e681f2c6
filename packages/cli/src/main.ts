#!/usr/bin/env node
import { runCli } from './run-cli.ts'

// Whoever reads the output may have seen enough: `pgq jobs list | head`.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit(0))
process.exitCode = await runCli(process.argv.slice(2))
