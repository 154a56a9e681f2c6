import { readFileSync } from 'node:fs'
import { handle } from '@pgq/core'
import { until } from '@pgq/test-support'
import { beforeAll, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { prometheusMetrics } from '../src/index.ts'
import { freshQueue, livedProcess, receipts, work } from './support/lived-process.ts'
import { namesIn } from './support/promql.ts'
import { type ReadExposition, readExposition } from './support/read-exposition.ts'

const file = (name: string): string => readFileSync(new URL(`../monitoring/${name}`, import.meta.url), 'utf8')

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
}
interface Variable {
  readonly name: string
  readonly definition?: string
}
const dashboard = JSON.parse(file('grafana-dashboard.json')) as {
  readonly uid: string
  readonly title: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}
const charts = dashboard.panels.filter(({ type }) => type !== 'row')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}
const { groups } = parse(file('alert-rules.yaml')) as { groups: { name: string; rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)

const manifests = parseAllDocuments(file('scale-on-backlog.yaml')).map((document) => document.toJS())
const [deployment, scaledObject] = manifests
const trigger = scaledObject.spec.triggers[0].metadata as { query: string; threshold: string }

/** Labels that Prometheus adds to what it scrapes. */
const ADDED = ['instance', 'job']

let real: ReadExposition
beforeAll(async () => {
  const { metrics } = await livedProcess()
  real = readExposition(await metrics.text())
})

function expectToExist(query: string): void {
  const { metrics, labels, values } = namesIn(query)
  expect(metrics, query).not.toEqual([])
  const samples = real.samples.filter(({ name }) => metrics.includes(name))
  for (const metric of metrics)
    expect(
      samples.map(({ name }) => name),
      query,
    ).toContain(metric)
  const known = new Set([...ADDED, ...samples.flatMap((sample) => Object.keys(sample.labels))])
  for (const label of labels) expect([...known], `${label} in ${query}`).toContain(label)
  for (const [label, value] of values) {
    // A process that lived well has lost no claim.
    if (value === '.*' || value === 'lost') continue
    expect(
      samples.map((sample) => sample.labels[label]),
      `${label} in ${query}`,
    ).toContain(value)
  }
}

test('every query of the dashboard is PromQL over what is exposed', () => {
  const queries = charts.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  expect(queries.length).toBeGreaterThan(15)
  for (const query of queries) expectToExist(query)
})

test('every metric that is exposed is on the dashboard', () => {
  const text = file('grafana-dashboard.json')
  for (const name of real.types.keys()) expect(text).toContain(name)
})

test('the dashboard is one that Grafana takes', () => {
  expect(dashboard).toMatchObject({ uid: 'pgq', title: 'pgq', schemaVersion: 39 })
  const ids = dashboard.panels.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const panel of charts) {
    expect(panel.description).toBeTruthy()
    expect(panel.datasource).toEqual({ type: 'prometheus', uid: '${datasource}' })
    expect(panel.gridPos.x + panel.gridPos.w).toBeLessThanOrEqual(24)
    const letters = (panel.targets ?? []).map(({ refId }) => refId)
    expect(new Set(letters).size).toBe(letters.length)
  }
  // No panel lies on another.
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_cell, n) => `${x + (n % w)}/${y + Math.floor(n / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
  const names = dashboard.templating.list.map(({ name }) => name)
  const used = file('grafana-dashboard.json').matchAll(/\$\{?(?!__)(\w+)/g)
  for (const [, name] of used) expect(names).toContain(name)
  const [, queue] = dashboard.templating.list
  expect(queue?.definition).toBe('label_values(pgq_oldest_due_age_seconds, queue)')
})

test('every alert rule is PromQL over what is exposed, and says what to do', () => {
  expect(rules.length).toBeGreaterThan(5)
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  for (const { alert, expr, for: wait, labels, annotations } of rules) {
    expectToExist(expr)
    expect(alert).toMatch(/^Pgq[A-Za-z]+$/)
    expect(wait).toMatch(/^\d+m$/)
    expect(['info', 'warning', 'critical']).toContain(labels.severity)
    expect(annotations.description).toBeTruthy()
    // A label that the expression drops would be empty in the message.
    for (const [, label] of annotations.summary.matchAll(/\$labels\.(\w+)/g))
      expect(expr).toContain(`by (${label})`)
  }
})

test('the checks find a metric, a label and a value that are not there, and what is no PromQL', () => {
  for (const query of ['pgq_no_such', 'max by (tenant) (pgq_jobs)', 'pgq_jobs{state="gone"}'])
    expect(() => expectToExist(query), query).toThrow(/pgq_no_such|tenant|gone/)
  for (const query of ['max(pgq_jobs', 'rate(pgq_jobs[)', ''])
    expect(() => expectToExist(query), query).toThrow(/no PromQL/)
})

test('the manifests scale the deployment that they define, on a query over what is exposed', () => {
  expect(manifests.map(({ kind }) => kind)).toEqual(['Deployment', 'ScaledObject'])
  expect(scaledObject.spec.scaleTargetRef.name).toBe(deployment.metadata.name)
  expect(deployment.spec.template.metadata.labels).toEqual(deployment.spec.selector.matchLabels)
  const [container] = deployment.spec.template.spec.containers
  const ports = container.ports.map(({ name }: { name: string }) => name)
  for (const probe of [container.livenessProbe, container.readinessProbe])
    expect(ports).toContain(probe.httpGet.port)
  expect(scaledObject.spec.minReplicaCount).toBeLessThan(scaledObject.spec.maxReplicaCount)
  expect(Number(trigger.threshold)).toBeGreaterThan(0)
  expectToExist(trigger.query)
})

test('what it scales on asks for more workers while a backlog ages, and for none when it is done', async () => {
  const { pgq } = await freshQueue()
  const metrics = prometheusMetrics(pgq, { cacheFor: 0 })
  const [name] = namesIn(trigger.query).metrics
  const [[, queue] = ['', '']] = namesIn(trigger.query).values
  // As the autoscaler computes it: the value over the threshold, rounded up.
  const wanted = async (): Promise<number> => {
    const { samples } = readExposition(await metrics.text())
    const ages = samples.filter((sample) => sample.name === name && sample.labels['queue'] === queue)
    return Math.ceil(Math.max(...ages.map(({ value }) => value)) / Number(trigger.threshold))
  }
  const due = { scheduledFor: new Date(Date.now() - 80_000) }
  await pgq.enqueueMany(receipts, [{ end: 'completed' }, { end: 'completed' }], due)
  expect(await wanted()).toBe(3)
  await work(pgq, [handle(receipts, () => {})])
  await until('the backlog is gone', async () => (await wanted()) === 0)
})
