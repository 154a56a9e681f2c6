import { expect, test } from 'vitest'
import { parseArguments, UsageError } from '../src/arguments.ts'
import { FAULT_KINDS } from '../src/faults/faults.ts'

test('without arguments it is a minute of all faults, with a short lease', () => {
  expect(parseArguments([])).toMatchObject({
    command: 'run',
    seconds: 60,
    seed: 1,
    json: false,
    leaseMs: 1_500,
    faults: FAULT_KINDS,
  })
})

test('faults can be chosen, left out, or switched off', () => {
  expect(parseArguments(['--faults', 'kill,freeze'])).toMatchObject({
    faults: ['kill', 'freeze'],
    insists: true,
  })
  expect(parseArguments(['--without', 'diskFull'])).toMatchObject({
    faults: FAULT_KINDS.filter((kind) => kind !== 'diskFull'),
  })
  expect(parseArguments(['--faults', 'none'])).toMatchObject({ faults: [] })
})

test('the mutants are a command of their own', () => {
  expect(parseArguments(['mutants', '--only', 'no-fence,lazy-settle', '--json'])).toEqual({
    command: 'mutants',
    json: true,
    only: ['no-fence', 'lazy-settle'],
  })
})

test.each([
  [['--seconds', '0'], '--seconds is 0: it must be a whole number from 1'],
  [['--lease', '500'], '--lease is 500: it must be a whole number from 1000'],
  [['--rate=-1'], '--rate is -1'],
  [['--faults', 'flood'], 'unknown fault flood: there are kill, freeze'],
  [['storm'], 'unknown command storm'],
  [['--storm'], '--storm'],
])('%j is refused with what would be right', (args, message) => {
  expect(() => parseArguments(args)).toThrow(UsageError)
  expect(() => parseArguments(args)).toThrow(message)
})
