import type { Pgq } from '@pgq/core'
import type { Command } from 'commander'
import { randomBytes } from 'node:crypto'
import { action, type Call, type Outcome } from '../../call.ts'
import { type ConnectionOptions, openPgq } from '../../connection.ts'
import { EXIT, type ExitCode } from '../../exit-code.ts'
import { interruption } from '../../interruption.ts'
import { count, counted } from '../../terminal/quantities.ts'
import type { Screen } from '../../terminal/screen.ts'
import { wholeNumber } from '../../whole-number.ts'
import { type BenchResult, runBench } from './measure.ts'

interface Options {
  readonly jobs?: number
  readonly concurrency?: number
}

const JOBS = 20_000
const CONCURRENCY = 500

/** `pgq bench`. */
export function addBench(program: Command, outcome: Outcome): void {
  program
    .command('bench')
    .description('measure this database from this machine, in a schema that is dropped again')
    .option(
      '--jobs <number>',
      `how many jobs, up to 1,000,000 (default: ${count(JOBS)})`,
      wholeNumber(1, 1_000_000),
    )
    .option(
      '--concurrency <number>',
      `how many handlers run at once (default: ${CONCURRENCY})`,
      wholeNumber(1, 10_000),
    )
    .option('-y, --yes', 'confirmed')
    .action(action<Options>(outcome, run, openOwnSchema))
}

/** Nothing of it may touch the queue that is in use. */
const openOwnSchema = (options: ConnectionOptions): Pgq =>
  openPgq({ ...options, schema: `pgq_bench_${randomBytes(6).toString('hex')}` })

async function run({ pgq, screen, options }: Call<Options>): Promise<ExitCode> {
  const { jobs = JOBS, concurrency = CONCURRENCY } = options
  screen.note(
    screen.wrap(
      `This writes ${counted(jobs, 'job')} into a schema of its own, ${pgq.schema}, runs them as fast as it can, and drops the schema. The server is under load meanwhile.`,
    ),
  )
  if (!(await screen.confirm('Measure?'))) return EXIT.notConfirmed
  const { signal, release } = interruption()
  try {
    const result = await runBench(pgq, screen, { jobs, concurrency, signal })
    screen.answer(result, () => render(result, screen))
    return EXIT.done
  } catch (error) {
    if (!signal.aborted) throw error
    screen.note('interrupted; the schema was dropped')
    return EXIT.interrupted
  } finally {
    release()
  }
}

function render({ enqueue, process, single, pickUp }: BenchResult, screen: Screen): string {
  const rows: [string, string, string][] = [
    ['enqueueMany', rate(enqueue), '1,000 jobs a call'],
    ['process', rate(process), 'handlers that do nothing, history kept'],
    ['enqueue', times(single), 'one call after the other, each committed'],
    ['pick-up', times(pickUp), 'from the call of enqueue to the handler'],
  ]
  return screen.table(
    [
      { title: 'WHAT', value: ([what]) => what },
      { title: 'FIGURE', value: ([, figure]) => figure, style: screen.color.bold },
      { title: 'HOW', value: ([, , how]) => how, style: screen.color.dim },
    ],
    rows,
  )
}

const rate = (perSecond: number): string => `${count(Math.round(perSecond))} jobs/s`
const times = ({ p50, p99 }: { p50: number; p99: number }): string =>
  `${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`
