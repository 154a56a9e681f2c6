import { Table } from 'console-table-printer'
import type { Environment } from './environment.ts'
import type { EntryReport, ScenarioReport } from './report.ts'

/** What else stands in the table of a scenario, if it was seen: the name of the figure, and what the column is called. */
const FIGURES: Readonly<Record<string, string>> = {
  p95: 'p95',
  p99: 'p99',
  enqueueP50: 'enqueue p50',
  pickUpP50: 'after it p50',
  cpuMicrosPerJob: 'client CPU µs/job',
  walBytesPerJob: 'WAL B/job',
  statementsPer1000Jobs: 'statements/1000 jobs',
  connections: 'connections',
  jobsPerSecond: 'jobs/s',
  completed: 'beside: completed',
  delayed: 'beside: delayed',
  lockWaits: 'lock waits seen',
  deadlocks: 'deadlocks',
}

/** Without colours: the table is for files as well. */
const PLAIN = { shouldDisableColors: true, defaultColumnOptions: { alignment: 'right' } } as const

/** The table of one scenario, with how everybody ran below it. */
export function scenarioTable(report: ScenarioReport): string {
  const { scenario, about, rounds, unit, env, ours, skipped } = report
  const entries = [
    ['pgq', ours],
    ...Object.entries(report.baselines),
    ...Object.entries(report.peers),
  ] as const
  const table = new Table(PLAIN)
  for (const [label, entry] of entries) table.addRow(row(label, entry, report))
  return [
    `${scenario}: ${about}`,
    `Medians of ${rounds} rounds in ${unit}; a ratio above 1 means that pgq is better.`,
    '',
    table.render(),
    ...Object.entries(skipped).map(([label, why]) => `${label} is not in it: ${why}`),
    '',
    ...entries.map(([label, entry]) => configText(label, entry)),
    '',
    environmentText(env),
    '',
  ].join('\n')
}

/** One table for all scenarios: what pgq reached, and how many times better that is than what the others did. */
export function overviewTable(reports: readonly ScenarioReport[]): string {
  const labels = [...new Set(reports.flatMap(({ peers }) => Object.keys(peers)))]
  const table = new Table(PLAIN)
  for (const { scenario, unit, ours, baselines, ratios, peers, skipped } of reports) {
    const cell = (label: string): string => {
      const peer = peers[label]
      return peer ? `${figure(peer.median)} (${ratios[label]}x)` : label in skipped ? 'skipped' : ''
    }
    table.addRow({
      scenario,
      unit,
      pgq: figure(ours.median),
      ...Object.fromEntries(labels.map((label) => [label, cell(label)])),
      'against itself': Object.keys(baselines)
        .map((label) => `${label}: ${ratios[label]}`)
        .join(', '),
    })
  }
  const [first] = reports
  const skipped = Object.entries(
    Object.assign({}, ...reports.map((report) => report.skipped)) as Record<string, string>,
  )
  return [
    `Medians of ${first?.rounds} rounds; in brackets how many times better pgq is.`,
    '',
    table.render(),
    ...skipped.map(([label, why]) => `${label} is not in it: ${why}`),
    '',
    ...contestantsOf(reports).map(([label, entry]) => configText(label, entry)),
    '',
    ...(first ? [environmentText(first.env), ''] : []),
  ].join('\n')
}

function row(label: string, entry: EntryReport, { unit, ratios }: ScenarioReport): Record<string, string> {
  const figures = Object.entries(FIGURES).flatMap(([name, title]) => {
    const value = entry[name]
    return typeof value === 'number' ? [[title, figure(value)] as const] : []
  })
  return {
    '': label,
    version: entry.version,
    jobs: figure(entry.jobs),
    [unit]: figure(entry.median),
    'min to max': `${figure(entry.min)} to ${figure(entry.max)}`,
    ratio: ratios[label] === undefined ? '' : `${ratios[label]}`,
    ...Object.fromEntries(figures),
  }
}

function contestantsOf(reports: readonly ScenarioReport[]): [string, EntryReport][] {
  const found = new Map<string, EntryReport>()
  for (const { ours, peers, baselines } of reports) {
    for (const [label, entry] of Object.entries({ pgq: ours, ...peers, ...baselines }))
      if (label === 'floor' || !(label in baselines)) found.set(label, entry)
  }
  return [...found]
}

function configText(label: string, { version, config }: EntryReport): string {
  const { how, options, bulk, history, fence, atRisk, durability, documents } = config
  return [
    `${label} ${version}: ${how}`,
    `  options ${JSON.stringify(options)}, bulks of ${figure(bulk.size)}, ${bulk.inFlight} at a time`,
    `  ${durability}; history ${history}; fence: ${fence}; at risk in a process that is killed: ${atRisk}`,
    ...(documents.length > 0 ? [`  after ${documents.join(', ')}`] : []),
  ].join('\n')
}

function environmentText({
  date,
  platform,
  cpu,
  cpus,
  memoryGb,
  loadBefore,
  node,
  postgres,
  redis,
}: Environment): string {
  const settings = Object.entries(postgres).map(([name, value]) => `${name} ${value}`)
  return [
    `${date}, ${platform}, ${cpus} x ${cpu}, ${memoryGb} GB, load ${loadBefore} before; Node ${node}`,
    `PostgreSQL: ${settings.join(', ')}`,
    `Redis: ${
      redis
        ? Object.entries(redis)
            .map(([name, value]) => `${name} ${value || '""'}`)
            .join(', ')
        : 'none'
    }`,
  ].join('\n')
}

const figure = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 2 })
