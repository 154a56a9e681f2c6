import { expect, test } from 'vitest'
import type { Environment } from '../src/environment.ts'
import { type Series, summarize } from '../src/report.ts'
import { overviewTable, scenarioTable } from '../src/report-table.ts'
import type { Entry, Measurement } from '../src/scenarios/scenario.ts'
import { scenarios } from '../src/scenarios/scenarios.ts'

const env: Environment = {
  date: '2026-11-20T12:00:00.000Z',
  platform: 'Linux',
  cpu: 'some',
  cpus: 2,
  memoryGb: 8,
  loadBefore: 0,
  node: 'v24.0.0',
  postgres: { fsync: 'on', synchronous_commit: 'on' },
  redis: null,
}

const pgq: Entry = { label: 'pgq', contestant: 'pgq', role: 'ours' }
const floor: Entry = { label: 'floor', contestant: 'floor', role: 'baseline' }
const peer: Entry = { label: 'graphile-worker', contestant: 'graphile-worker', role: 'peer' }

function seriesOf(entry: Entry, values: readonly number[], figures: Measurement['figures'] = {}): Series {
  const [warmUp = 0, ...counted] = values
  return {
    entry,
    jobs: 1_000,
    warmUp: { value: warmUp, figures: { ...figures, statementsPer1000Jobs: 7 } },
    counted: counted.map((value) => ({ value, figures })),
  }
}

const report = summarize({
  scenario: scenarios.process,
  rounds: 3,
  env,
  series: [
    seriesOf(pgq, [1, 300, 100, 200], { cpuMicrosPerJob: 9 }),
    seriesOf(floor, [1, 250, 250, 250]),
    seriesOf(peer, [9_999, 50, 40, 60]),
  ],
  skipped: { 'bullmq-redis': 'there is none' },
})

test('the warm-up counts for nothing but the statements', () => {
  expect(report.ours).toMatchObject({
    median: 200,
    min: 100,
    max: 300,
    values: [300, 100, 200],
    jobs: 1_000,
    cpuMicrosPerJob: 9,
    statementsPer1000Jobs: 7,
  })
})

test('peers and baselines stand apart, and both have a ratio', () => {
  expect(Object.keys(report.peers)).toEqual(['graphile-worker'])
  expect(Object.keys(report.baselines)).toEqual(['floor'])
  expect(report.ratios).toEqual({ floor: 0.8, 'graphile-worker': 4 })
})

test('a figure of a scenario replaces none of those that every entry has', () => {
  const figures = { max: 1_000_000, jobs: -1, p99: 3 }
  const series = [seriesOf(pgq, [0, 5, 7], figures)]
  const { ours } = summarize({ scenario: scenarios.latency, rounds: 2, env, series, skipped: {} })
  expect(ours).toMatchObject({ median: 6, max: 7, jobs: 1_000, p99: 3 })
})

test('where lower is better the ratio is turned round', () => {
  const latency = summarize({
    scenario: scenarios.latency,
    rounds: 1,
    env,
    series: [seriesOf(pgq, [0, 0.5]), seriesOf(peer, [0, 4])],
    skipped: {},
  })
  expect(latency.ratios).toEqual({ 'graphile-worker': 8 })
})

test('everybody comes with version, settings and durability', () => {
  for (const entry of [report.ours, ...Object.values(report.peers), ...Object.values(report.baselines)]) {
    expect(entry.version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(entry.config).toMatchObject({
      durability: 'fsync on, synchronous_commit on',
      history: expect.any(String),
      fence: expect.any(String),
      atRisk: expect.any(String),
    })
  }
})

test('the tables say the same', () => {
  const table = scenarioTable(report)
  expect(table).toMatch(/graphile-worker .* 0\.18\.0 .* 50 .* 40 to 60 .* 4 /)
  expect(table).toContain('bullmq-redis is not in it: there is none')
  expect(table).toContain('fsync on, synchronous_commit on; history deleted')
  const overview = overviewTable([report])
  expect(overview).toMatch(/process .* jobs\/s .* 200 .* 50 \(4x\) .* floor: 0\.8/)
  expect(overview).toContain('bullmq-redis is not in it: there is none')
})

test('a scenario without pgq makes no sense', () => {
  const options = {
    scenario: scenarios.process,
    rounds: 1,
    env,
    series: [seriesOf(peer, [0, 1])],
    skipped: {},
  }
  expect(() => summarize(options)).toThrow('without pgq')
})

test.each([
  ['process', ['floor']],
  ['pinned', ['unpinned']],
  ['big-table', ['empty']],
  ['scale-out', ['1', '2']],
  ['limits', ['unlimited', 'rate', 'groups', 'limit per group']],
  ['unique', ['without keys']],
] as const)('in %s pgq is compared with itself, too', (name, labels) => {
  const baselines = scenarios[name].entries.filter(({ role }) => role === 'baseline')
  expect(baselines.map(({ label }) => label)).toEqual(labels)
})
