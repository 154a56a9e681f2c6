import { expect, test } from 'vitest'
import { HELP, parseArguments, UsageError } from '../src/arguments.ts'
import { CONTESTANTS } from '../src/roster.ts'
import { scenarios } from '../src/scenarios/scenarios.ts'
import { runBench } from './run-bench.ts'

test('a scenario with its options', () => {
  expect(
    parseArguments([
      'pinned',
      '--rounds',
      '3',
      '--json',
      '--scale',
      '0.1',
      '--jobs',
      '1000',
      '--only',
      'floor,pg-boss',
    ]),
  ).toEqual({
    scenarios: ['pinned'],
    rounds: 3,
    json: true,
    scale: 0.1,
    jobs: 1_000,
    only: ['floor', 'pg-boss'],
  })
})

test('nothing means all scenarios, five rounds, a table, and everybody', () => {
  expect(parseArguments([])).toEqual({
    scenarios: Object.keys(scenarios),
    rounds: 5,
    json: false,
    scale: 1,
    jobs: undefined,
    only: undefined,
  })
})

test('nobody but pgq', () => {
  expect(parseArguments(['process', '--only', 'none'])).toMatchObject({ only: [] })
})

test('help, wherever it stands', () => {
  expect(parseArguments(['process', '--help'])).toBe('help')
  expect(parseArguments(['-h'])).toBe('help')
})

test('the help names all scenarios and contestants', () => {
  for (const name of [...Object.keys(scenarios), ...CONTESTANTS.slice(1)]) expect(HELP).toContain(name)
})

test.each([
  [['proces'], 'unknown scenario proces'],
  [['process', 'latency'], 'one scenario at a time'],
  [['--fast'], '--fast'],
  [['--rounds'], '--rounds'],
  [['--rounds', '0'], '--rounds is 0'],
  [['--rounds', '1.5'], '--rounds is 1.5'],
  [['--jobs', '-5'], '--jobs'],
  [['--jobs', '1e3'], '--jobs is 1e3'],
  [['--scale', '0'], '--scale is 0'],
  [['--scale', ''], '--scale is '],
  [['--scale', 'Infinity'], '--scale is Infinity'],
  [['--only', 'bull'], 'unknown contestant bull'],
  [['--only', ''], 'unknown contestant'],
])('%j is refused', (args, message) => {
  expect(() => parseArguments(args)).toThrow(UsageError)
  expect(() => parseArguments(args)).toThrow(message)
})

test('the command answers a wrong argument with its usage and exit code 2, and keeps stdout clean', async () => {
  const { code, stdout, stderr } = await runBench(['--fast'])
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain('--fast')
  expect(stderr).toContain('Usage: pnpm bench')
})

test('the command prints its help', async () => {
  expect(await runBench(['--help'])).toEqual({ code: 0, stdout: HELP, stderr: '' })
})
