import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { MutantsArguments } from '../arguments.ts'
import type { Verdict } from '../checker/check.ts'
import type { InvariantName } from '../checker/invariants.ts'
import { Server } from '../server.ts'
import { breed, type Mutant } from './mutant.ts'
import { mutantNamed, MUTANTS } from './mutants.ts'
import { play } from './play.ts'
import { type Scenario, type ScenarioName, SCENARIOS } from './scenarios.ts'

/** What became of one mutant. */
interface MutantResult {
  readonly name: string
  readonly breaks: string
  readonly scenario: ScenarioName
  readonly caught: boolean
  /** The invariants that it violated. */
  readonly by: readonly InvariantName[]
}

/** The object that `mutants --json` prints. */
export interface MutantsReport {
  readonly mutants: number
  readonly caught: number
  readonly each: readonly MutantResult[]
}

/** So many stories are played at a time: they mostly wait, for leases to run out. */
const AT_ONCE = 3

/** Plays each scenario with the package as it is, which must violate nothing, and then with each mutant, which must be caught. */
export async function runMutants(
  { only }: Pick<MutantsArguments, 'only'>,
  say: (text: string) => void,
): Promise<MutantsReport> {
  const mutants = only?.map(mutantNamed) ?? MUTANTS
  const directory = mkdtempSync(path.join(tmpdir(), 'chaos-mutants-'))
  // A vacuum that commits would carry what others have not waited for to the disk.
  const server = await Server.start({ settings: { autovacuum: 'off' } })
  const judge = (name: string, scenario: ScenarioName, core: string | undefined): Promise<Verdict> =>
    play({ server, scenario, name, core, directory })
  try {
    // All are bred first: one that does not apply any more is an error, whatever the others do.
    const entries = new Map(mutants.map((mutant) => [mutant.name, breed(mutant, directory)]))
    const scenarios = [...new Set(mutants.map(({ scenario }) => scenario))]
    await inTurns(
      scenarios,
      (scenario) => scenario,
      async (scenario) => {
        const { findings, shortest } = await judge(`unbroken-${scenario}`, scenario, undefined)
        if (findings.length > 0)
          throw new Error(`the package as it is fails in ${scenario}:\n${shortest.join('\n')}`)
        say(`unbroken  ${scenario}`)
      },
    )
    const each = await inTurns(
      mutants,
      ({ scenario }) => scenario,
      async (mutant) => {
        const verdict = await judge(mutant.name, mutant.scenario, entries.get(mutant.name))
        const result = resultOf(mutant, verdict)
        say(
          `${result.caught ? 'caught  ' : 'MISSED  '}  ${mutant.name}: ${result.by.join(', ') || 'nothing seen'}`,
        )
        return result
      },
    )
    return { mutants: each.length, caught: each.filter(({ caught }) => caught).length, each }
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Caught is only who was seen at what it does: something else that went wrong is no proof. */
function resultOf({ name, breaks, scenario, violates }: Mutant, { violations }: Verdict): MutantResult {
  const by = (Object.keys(violations) as InvariantName[]).filter((invariant) => violations[invariant] > 0)
  return { name, breaks, scenario, caught: by.some((invariant) => violates.includes(invariant)), by }
}

/** Some at a time, those that must be alone at the end. Results come in the order of the list. */
async function inTurns<T, R>(
  list: readonly T[],
  scenarioOf: (item: T) => ScenarioName,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const isAlone = (item: T): boolean => (SCENARIOS[scenarioOf(item)] as Scenario).alone ?? false
  const results = new Map<T, R>()
  const crowd = list.filter((item) => !isAlone(item))
  const take = async (): Promise<void> => {
    for (let item = crowd.shift(); item !== undefined; item = crowd.shift())
      results.set(item, await work(item))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, take))
  for (const item of list.filter(isAlone)) results.set(item, await work(item))
  return list.map((item) => results.get(item) as R)
}
