import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'

/** The user and group that the server runs as; empty when it runs as whoever started it. */
export interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** PostgreSQL refuses to run as root: then it gets an account that exists everywhere, and none is created. */
export function serverAccount(): Account {
  if (process.getuid?.() !== 0) return {}
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const entry = entries.find((fields) => fields[0] === name)
    if (entry) return { uid: Number(entry[2]), gid: Number(entry[3]) }
  }
  throw new Error('PostgreSQL cannot run as root, and there is neither a user postgres nor a user nobody')
}

/** Whether an account that owns nothing here can reach a path and read or execute what is there. */
export function isOpenToAll(file: string): boolean {
  const open = (statSync(file).mode & 0o005) === 0o005
  return open && parentsOf(file).every((directory) => (statSync(directory).mode & 0o001) !== 0)
}

function parentsOf(file: string): readonly string[] {
  const parent = path.dirname(file)
  return parent === file ? [] : [parent, ...parentsOf(parent)]
}
