import type { Command } from 'commander'
import type { Outcome } from '../../call.ts'
import { addChanges } from './change.ts'
import { addExplain } from './explain.ts'
import { addList } from './list.ts'
import { addShow } from './show.ts'

/** `pgq jobs`. */
export function addJobs(program: Command, outcome: Outcome): void {
  const jobs = program
    .command('jobs')
    .description('look at jobs and change them, one by one or all that match')
  for (const add of [addList, addShow, addExplain, addChanges]) add(jobs, outcome)
}
