// One contestant in a process of its own: told over IPC what to do, it answers with figures. Its name is its argument.
import { loadContestant } from '../contestants/load-contestant.ts'
import type { Contestant } from '../contestants/contestant.ts'
import type { ContestantName } from '../roster.ts'
import { type Tasks, tasksFor } from '../tasks/tasks.ts'
import type { Answer, Request } from './messages.ts'

const open = await loadContestant(process.argv[2] as ContestantName)
let contestant: Contestant | undefined
let tasks: Tasks | undefined

// Whoever started this one is gone, and with it the server: nothing that goes on here is of use.
process.once('disconnect', () => process.exit())
// Ctrl-C reaches all processes of a terminal; the one that started this one ends it.
process.on('SIGINT', () => {})
process.on('message', (request: Request) => void answer(request))
process.send?.({ id: 0, result: process.version } satisfies Answer)

async function answer(request: Request): Promise<void> {
  const { id } = request
  try {
    process.send?.({ id, result: await run(request) } satisfies Answer)
  } catch (error) {
    process.send?.({
      id,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    } satisfies Answer)
  }
}

async function run(request: Request): Promise<unknown> {
  if (request.do === 'open') {
    contestant = open(request.url)
    tasks = tasksFor(contestant)
    return undefined
  }
  if (request.do === 'close') {
    const closing = contestant?.close()
    contestant = tasks = undefined
    return closing
  }
  if (!tasks) throw new Error('nothing is open')
  return tasks[request.task](request.options as never)
}
