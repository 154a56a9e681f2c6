import { expect, test } from 'vitest'
import type { ScenarioName } from '../src/arguments.ts'
import { scenarios } from '../src/scenarios/scenarios.ts'
import { onStage } from './stage.ts'

const JOBS = 40
const costs = { cpuMicrosPerJob: expect.any(Number), walBytesPerJob: expect.any(Number) }

/** What is seen besides the figure itself. */
const seen: Readonly<Record<ScenarioName, Readonly<Record<string, unknown>>>> = {
  process: { ...costs, repeated: 0 },
  'enqueue-many': costs,
  enqueue: costs,
  latency: {
    p95: expect.any(Number),
    p99: expect.any(Number),
    slowest: expect.any(Number),
    enqueueP50: expect.any(Number),
  },
  pinned: { ...costs, repeated: 0 },
  'big-table': { ...costs, repeated: 0, completed: expect.any(Number), delayed: expect.any(Number) },
  'scale-out': { ...costs, repeated: 0, lockWaits: expect.any(Number), deadlocks: 0 },
  mixed: { ...costs, repeated: 0 },
  memory: { handlersAtOnce: JOBS, jobsPerSecond: expect.any(Number), connections: 4 },
  limits: { ...costs, repeated: 0 },
  unique: {
    ...costs,
    repeated: 0,
    insertedPerSecond: expect.any(Number),
    workedPerSecond: expect.any(Number),
  },
  fairness: { slowest: expect.any(Number), wholeMs: expect.any(Number) },
}

const entries = Object.values(scenarios).flatMap((scenario) =>
  scenario.entries
    .filter(({ contestant }) => contestant === 'pgq')
    .map((entry) => [scenario.name, entry.label, entry] as const),
)

test.each(entries)('%s: %s does all that it is asked to', async (name, _label, entry) => {
  const { value, figures } = await onStage({ entry, jobs: JOBS, scale: 0.000_1 }, (stage) =>
    scenarios[name].turn(stage),
  )
  expect(value).toBeGreaterThan(0)
  expect(figures).toMatchObject(seen[name])
})
