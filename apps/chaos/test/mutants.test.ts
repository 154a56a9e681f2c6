import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { INVARIANTS } from '../src/checker/invariants.ts'
import { breed } from '../src/mutants/mutant.ts'
import { MUTANTS } from '../src/mutants/mutants.ts'
import { SCENARIOS } from '../src/mutants/scenarios.ts'
import type { MutantsReport } from '../src/mutants/run-mutants.ts'
import { runChaos } from './support/run-chaos.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'chaos-mutants-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
  '%s still applies to the package',
  (_name, mutant) => {
    expect(breed(mutant, directory)).toMatch(/^file:.*index\.js$/)
    expect(Object.keys(SCENARIOS)).toContain(mutant.scenario)
    for (const invariant of mutant.violates) expect(Object.keys(INVARIANTS)).toContain(invariant)
  },
)

test('a mutant that no longer applies is an error', () => {
  const patches = [{ file: 'sql/claim-jobs', find: 'no such text', replace: '' }]
  expect(() => breed({ name: 'outdated', patches }, directory)).toThrow(
    'the mutant outdated no longer applies',
  )
})

test('there is a mutant for each entry of the catalogue, M1 to M16', () => {
  for (let i = 1; i <= 16; i++)
    expect(
      MUTANTS.some(({ breaks }) => breaks.startsWith(`M${i}:`)),
      `M${i}`,
    ).toBe(true)
})

test('mutants are caught, in stories that the package itself comes through', async () => {
  const names = ['attempt-fence', 'settle-nothing', 'lazy-enqueue']
  const { code, stdout, stderr } = await runChaos(['mutants', '--only', names.join(), '--json'])
  const report = JSON.parse(stdout || '{}') as MutantsReport
  expect(report, stderr).toMatchObject({ mutants: 3, caught: 3 })
  expect(report.each.map(({ name, caught }) => [name, caught])).toEqual(names.map((name) => [name, true]))
  expect(code).toBe(0)
})
