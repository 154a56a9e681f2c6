import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { EntryReport, ScenarioReport } from '../src/report.ts'
import { runBench } from './run-bench.ts'

const JOBS = 500
const POSTGRES_PEERS = ['bullmq-postgres', 'graphile-worker', 'pg-boss', 'pg-boss-work']

const hasRedis = (() => {
  try {
    return execFileSync('redis-server', ['--version']).length > 0
  } catch {
    return false
  }
})()

test.concurrent('one round of `process` with everybody who is there', { timeout: 180_000 }, async () => {
  const { code, stdout, stderr } = await runBench(['process', '--jobs', `${JOBS}`, '--rounds', '1', '--json'])
  expect(code, stderr).toBe(0)
  const report = JSON.parse(stdout) as ScenarioReport
  expect(report).toMatchObject({
    scenario: 'process',
    rounds: 1,
    unit: 'jobs/s',
    env: { node: expect.stringMatching(/^v\d+/), postgres: { fsync: 'on', synchronous_commit: 'on' } },
  })
  const peers = hasRedis ? ['bullmq-redis', ...POSTGRES_PEERS] : POSTGRES_PEERS
  expect(Object.keys(report.peers)).toEqual(peers)
  expect(Object.keys(report.ratios)).toEqual(['floor', ...peers])
  expect(Object.keys(report.skipped)).toEqual(hasRedis ? [] : ['bullmq-redis'])

  const entries: Record<string, EntryReport> = { ours: report.ours, ...report.peers, ...report.baselines }
  for (const [name, entry] of Object.entries(entries)) {
    expect(entry, name).toMatchObject({
      jobs: JOBS,
      version: expect.stringMatching(/^\d/),
      cpuMicrosPerJob: expect.any(Number),
    })
    expect(entry.median, name).toBeGreaterThan(0)
    expect(entry['repeated'], `${name} ran jobs twice`).toBe(0)
  }
  for (const [name, value] of Object.entries(report.ratios)) {
    expect(value, name).toBeCloseTo(report.ours.median / (entries[name]?.median ?? Number.NaN), 2)
  }
  // Every job is at least written and deleted, or moved, in few statements.
  expect(report.ours['walBytesPerJob']).toBeGreaterThan(100)
  expect(report.ours['statementsPer1000Jobs']).toBeGreaterThan(0)
  expect(report.ours['statementsPer1000Jobs']).toBeLessThan(200)
})

test(
  'without Redis its column is skipped, with a message that says what to do',
  { timeout: 60_000 },
  async () => {
    const args = ['process', '--jobs', '100', '--rounds', '1', '--json', '--only', 'bullmq-redis']
    const { code, stdout, stderr } = await runBench(args, { PATH: '/nowhere' })
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('bullmq-redis is skipped: redis-server is not on the PATH')
    const report = JSON.parse(stdout) as ScenarioReport
    expect(report.peers).toEqual({})
    expect(report.env.redis).toBeNull()
    expect(report.skipped['bullmq-redis']).toContain('apt-get install redis-server')
  },
)
