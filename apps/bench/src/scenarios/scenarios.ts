import type { ScenarioName } from '../arguments.ts'
import { bigTableScenario } from './big-table.ts'
import { enqueueManyScenario } from './enqueue-many.ts'
import { enqueueScenario } from './enqueue.ts'
import { fairnessScenario } from './fairness.ts'
import { latencyScenario } from './latency.ts'
import { limitsScenario } from './limits.ts'
import { memoryScenario } from './memory.ts'
import { mixedScenario } from './mixed.ts'
import { pinnedScenario } from './pinned.ts'
import { processScenario } from './process.ts'
import { scaleOutScenario } from './scale-out.ts'
import type { Scenario } from './scenario.ts'
import { uniqueScenario } from './unique.ts'

/** All scenarios, by name. */
export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  process: processScenario,
  'enqueue-many': enqueueManyScenario,
  enqueue: enqueueScenario,
  latency: latencyScenario,
  pinned: pinnedScenario,
  'big-table': bigTableScenario,
  'scale-out': scaleOutScenario,
  mixed: mixedScenario,
  memory: memoryScenario,
  fairness: fairnessScenario,
  limits: limitsScenario,
  unique: uniqueScenario,
}
