import { vi } from 'vitest'
import { runCli } from '../../src/run-cli.ts'

/** How a run of the program ended. */
export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program in this process: one run at a time. */
export async function runHere(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  const written = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text)
      return true
    }),
  )
  const before = process.env
  process.env = env
  try {
    return { code: await runCli(args), ...written }
  } finally {
    process.env = before
    for (const spy of spies) spy.mockRestore()
  }
}
