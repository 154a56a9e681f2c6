import { expect, test } from 'vitest'
import { FAULT_KINDS } from '../src/faults/faults.ts'
import { torment } from '../src/faults/nemesis.ts'
import { Random } from '../src/random.ts'

const away = (): never => {
  throw new Error('the server is away')
}

/** A nemesis among processes none of which is there yet, or on a server that is not. */
function tormentNobody(kinds: Parameters<typeof torment>[1]['kinds']): ReturnType<typeof torment> {
  const deps = {
    server: { ask: away, connect: away, disk: 'none', postgres: { restart: away } },
    fleet: { ready: () => [] },
    log: { write: () => {} },
    database: 'none',
    leaseMs: 1_000,
  } as unknown as Parameters<typeof torment>[0]
  return torment(deps, { kinds, seconds: 1, rate: 5, random: new Random(1), say: () => {} })
}

test('a fault that finds nobody to happen to, or fails, is not counted: the run is then invalid', async () => {
  const counts = await tormentNobody(FAULT_KINDS)
  expect(counts).toEqual(Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])))
})
