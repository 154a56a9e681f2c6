import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Kills a postmaster and all its backends with SIGKILL, as a container that is taken away does. Backends
 * notice by themselves that their postmaster has gone, but before PostgreSQL 15 some take ten seconds.
 */
export function killWithBackends(postmaster: number): void {
  // Stopped, it cannot start another one between the look and the kill.
  kill(postmaster, 'SIGSTOP')
  const backends = childrenOf(postmaster)
  for (const pid of [postmaster, ...backends]) kill(pid, 'SIGKILL')
}

/** Linux answers without `ps`, which small images do not have. */
function childrenOf(parent: number): readonly number[] {
  if (process.platform === 'linux') {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim()
    return children === '' ? [] : children.split(' ').map(Number)
  }
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return rows.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []))
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It has ended already, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
