import type { ScheduleRecord } from '@pgq/core'
import type { Command } from 'commander'
import { action, type Call, type Outcome } from '../call.ts'
import { EXIT, type ExitCode } from '../exit-code.ts'
import { printable } from '../terminal/printable.ts'
import { duration, fromNow, moment } from '../terminal/quantities.ts'
import type { Screen } from '../terminal/screen.ts'
import { wholeNumber } from '../whole-number.ts'

/** The largest page that the package gives. */
const PAGE = 1_000
const TICKS = 10

/** `pgq schedules`. */
export function addSchedules(program: Command, outcome: Outcome): void {
  const schedules = program
    .command('schedules')
    .description('look at the schedules, run, pause and resume them')
  schedules
    .command('list', { isDefault: true })
    .description('all schedules (the default)')
    .option('--queue <queue>', 'those of one queue')
    .action(action(outcome, list))
  schedules
    .command('next')
    .argument('<name>')
    .description('the next ticks of a schedule')
    .option('--count <number>', `how many, up to 1,000 (default: ${TICKS})`, wholeNumber(1, 1_000))
    .action(action(outcome, next))
  schedules
    .command('run')
    .argument('<name>')
    .description('enqueue a job of a schedule now; its ticks stay as they are')
    .action(action(outcome, runNow))
  schedules
    .command('pause')
    .argument('<name>')
    .description('let a schedule rest until it is resumed')
    .action(action(outcome, pause))
  schedules
    .command('resume')
    .argument('<name>')
    .description('let a paused schedule go on')
    .action(action(outcome, resume))
  schedules
    .command('remove')
    .argument('<name>')
    .description('remove a schedule; the jobs that it has enqueued stay')
    .option('-y, --yes', 'confirmed')
    .action(action(outcome, remove))
}

async function list({
  pgq,
  screen,
  options: { queue },
}: Call<{ readonly queue?: string }>): Promise<ExitCode> {
  const schedules: ScheduleRecord[] = []
  for (let page = PAGE; page === PAGE;) {
    const after = schedules.at(-1)?.name
    const found = await pgq.schedules.list({ limit: PAGE, ...(queue && { queue }), ...(after && { after }) })
    schedules.push(...found)
    page = found.length
  }
  screen.answer({ schedules }, () => scheduleTable(schedules, screen))
  return EXIT.done
}

async function next({ pgq, screen, args, options }: Call<{ readonly count?: number }>): Promise<ExitCode> {
  const [name = ''] = args
  const ticks = await pgq.schedules.next(name, options.count ?? TICKS)
  screen.answer({ name, ticks }, () =>
    ticks.length === 0
      ? 'None: it is over.'
      : ticks.map((tick) => `${moment(tick)}  ${screen.color.dim(fromNow(tick))}`).join('\n'),
  )
  return EXIT.done
}

async function runNow({ pgq, screen, args: [name = ''] }: Call<unknown>): Promise<ExitCode> {
  const job = await pgq.schedules.runNow(name)
  screen.answer({ name, ...job }, () =>
    job.deduplicated
      ? `nothing was enqueued: the job ${job.id} is there already`
      : `enqueued the job ${job.id}`,
  )
  return EXIT.done
}

async function pause({ pgq, screen, args: [name = ''] }: Call<unknown>): Promise<ExitCode> {
  await pgq.schedules.pause(name)
  screen.answer({ name, paused: true }, () => `the schedule ${quoted(name)} is paused`)
  return EXIT.done
}

async function resume({ pgq, screen, args: [name = ''] }: Call<unknown>): Promise<ExitCode> {
  await pgq.schedules.resume(name)
  screen.answer({ name, paused: false }, () => `the schedule ${quoted(name)} goes on`)
  return EXIT.done
}

async function remove({ pgq, screen, args: [name = ''] }: Call<unknown>): Promise<ExitCode> {
  const found = await pgq.schedules.get(name)
  if (!found) {
    screen.answer({ name, removed: false }, () => `there is no schedule ${quoted(name)}`)
    return EXIT.no
  }
  screen.note(
    `This removes 1 schedule: ${quoted(name)} of the queue ${quoted(found.queue)}, ${ruleText(found)}.`,
  )
  if (!(await screen.confirm('Remove it?'))) return EXIT.notConfirmed
  const removed = await pgq.schedules.remove(name)
  screen.answer({ name, removed }, () =>
    removed ? `removed the schedule ${quoted(name)}` : 'it was gone already',
  )
  return EXIT.done
}

const quoted = (text: string): string => JSON.stringify(printable(text))

function scheduleTable(schedules: readonly ScheduleRecord[], screen: Screen): string {
  if (schedules.length === 0) return 'No schedules.'
  const { color } = screen
  return screen.table<ScheduleRecord>(
    [
      { title: 'SCHEDULE', value: ({ name }) => name, shrinks: true },
      { title: 'QUEUE', value: ({ queue }) => queue, shrinks: true },
      { title: 'WHEN', value: ruleText },
      { title: 'NEXT', value: ({ nextAt }) => (nextAt ? fromNow(nextAt) : '-') },
      { title: 'LAST', value: ({ lastAt }) => (lastAt ? fromNow(lastAt) : '-') },
      {
        title: 'STATE',
        value: stateOf,
        style: (cell) => (cell.trim() === 'active' ? color.dim(cell) : color.yellow(cell)),
        shrinks: true,
      },
    ],
    schedules,
  )
}

function ruleText({ rule: { cron, timezone, everyMs, atMs } }: ScheduleRecord): string {
  if (cron !== undefined) return timezone && timezone !== 'UTC' ? `${cron} ${timezone}` : cron
  if (everyMs !== undefined) return `every ${duration(everyMs)}`
  return atMs === undefined ? '-' : `once at ${moment(new Date(atMs))}`
}

function stateOf({ error, pausedAt, retiredAt, finishedAt }: ScheduleRecord): string {
  if (error !== null) return `wrong: ${error}`
  if (pausedAt) return 'paused'
  if (retiredAt) return 'no worker declares it'
  return finishedAt ? 'over' : 'active'
}
