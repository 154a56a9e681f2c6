import { expect, test } from 'vitest'
import { INVARIANTS } from '../src/checker/invariants.ts'
import type { RunReport } from '../src/report.ts'
import { runChaos } from './support/run-chaos.ts'

const CHEAP = [
  'kill',
  'freeze',
  'stop',
  'terminate',
  'restart',
  'cut',
  'stall',
  'halfClose',
  'delay',
  'eatReply',
  'block',
  'skew',
  'pinnedSnapshot',
]

test('twelve seconds of everything that is cheap violate nothing, and the report is one object', async () => {
  const args = ['--seconds', '12', '--seed', '7', '--lease', '1000', '--faults', CHEAP.join(), '--json']
  const { code, stdout, stderr } = await runChaos(args)
  const report = JSON.parse(stdout) as RunReport
  expect(report.violations, stderr).toEqual(
    Object.fromEntries(Object.keys(INVARIANTS).map((name) => [name, 0])),
  )
  expect(Object.keys(report)).toEqual(['seed', 'seconds', 'faults', 'jobs', 'violations', 'recoveryMs'])
  expect(Object.keys(report.faults)).toEqual(CHEAP)
  expect(report.jobs.completed).toBeGreaterThan(50)
  // A busy machine may not get round to every fault: then the run must say that it proves too little.
  const isWhole = Object.values(report.faults).every((count) => count > 0)
  expect(code, stderr).toBe(isWhole ? 0 : 3)
})

test('a broken package ends it with exit code 1, and with the shortest history that shows it', async () => {
  const args = ['--seconds', '4', '--faults', 'none', '--mutant', 'attempt-on-failure', '--json']
  const { code, stdout, stderr } = await runChaos(args)
  expect((JSON.parse(stdout) as RunReport).violations.attempts).toBeGreaterThan(0)
  expect(stderr).toMatch(
    /VIOLATED\. The shortest history that shows it:\n.*\n +0\.0 ms {2}(producer-\d+ {2}enqueue |database {2}inserted: )/,
  )
  expect(code, stderr).toBe(1)
})

test('what the command line does not know is told, with exit code 2', async () => {
  const { code, stderr } = await runChaos(['--faults', 'flood'])
  expect(stderr).toMatch(/^unknown fault flood: there are kill/)
  expect(code).toBe(2)
})
