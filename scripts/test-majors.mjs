// Runs what has SQL of its own, and what plays `tx`, on every supported PostgreSQL major, or on those given: `pnpm test:majors 14 16`.
// With --sql only what a major may parse, plan or lock in its own way: not what ends processes and connections nor what the worker does, which take most of the time.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { passesAgain } from './test-again.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (name) => fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url))
const isSqlOnly = process.argv.includes('--sql')
const named = process.argv.slice(2).filter((argument) => argument !== '--sql')
const majors = named.length > 0 ? named : ['14', '15', '16', '17', '18']

// A server that DATABASE_URL names has one major only, so the embedded ones are used whatever it says.
const { DATABASE_URL: _, ...env } = process.env

const run = (command, args, extraEnv = {}) =>
  spawnSync(bin(command), args, { cwd: root, env: { ...env, ...extraEnv }, stdio: 'inherit' }).status === 0

/** The adapters send core's statements, which these projects test. */
const projects = (isSqlOnly ? ['core'] : ['core', 'contracts', 'embedded-postgres']).flatMap((name) => [
  '--project',
  name,
])

/** Tests of processes, connections, time and the worker itself, which play the same statements as the others. */
const NOT_OF_SQL = [
  'blocked-loop',
  'chunks',
  'close',
  'connection-loss',
  'crash-suspects',
  'cron-oracle',
  'endings',
  'every-message',
  'every-write',
  'failover',
  'fairness',
  'few-connections',
  'fuzz.prop',
  'hooks',
  'leaks',
  'limits-processes',
  'listener',
  'migrate-fleet',
  'model',
  'outage',
  'outcomes',
  'payload.prop',
  'progress',
  'recorded.prop',
  'scarce-slots',
  'schedules-killed',
  'signals',
  'stalled',
  'stop',
  'time-limit',
  'timeout',
  'transition.prop',
  'unique-processes',
  'unreachable',
  'watch',
  'weights',
]
const excluded = isSqlOnly ? NOT_OF_SQL.map((name) => `--exclude=**/test/${name}.test.ts`) : []

if (!run('turbo', ['run', 'build', '--output-logs=errors-only'])) process.exit(1)

const reports = mkdtempSync(path.join(tmpdir(), 'pgq-majors-'))
const failed = majors.filter((major) => {
  console.log(`\nPostgreSQL ${major}`)
  const report = path.join(reports, `${major}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  return (
    !run('vitest', ['run', ...projects, ...excluded, ...reporters], { PG_MAJOR: major }) &&
    !passesAgain(report, path.join(reports, `${major}-again.json`), { ...env, PG_MAJOR: major })
  )
})
rmSync(reports, { recursive: true })
console.log(
  failed.length > 0 ? `\nFailed on PostgreSQL ${failed.join(', ')}` : `\nPassed on ${majors.join(', ')}`,
)
process.exitCode = failed.length > 0 ? 1 : 0
