import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cleanUpAfterwards, until } from '@pgq/test-support'
import { expect, test } from 'vitest'
import { runNode } from './run-node.ts'

// The built demo as a process, with a PostgreSQL of its own.
const ownDatabase = { DATABASE_URL: '' }

test(
  'a run loses nothing and posts nothing twice, though a worker is killed',
  { timeout: 60_000 },
  async () => {
    const { code, stdout, stderr } = await runNode('dist/main.js', ['--json'], ownDatabase)
    expect(code, stderr).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    const report: Record<string, number> = JSON.parse(stdout)
    expect(report).toEqual({
      webhooks: 1_000,
      enqueued: 975,
      rolledBack: 25,
      completed: 971,
      dead: 4,
      retried: expect.any(Number),
      rescued: expect.any(Number),
      lost: 0,
      duplicated: 0,
      seconds: expect.any(Number),
    })
    expect(report['retried']).toBeGreaterThan(0)
    expect(report['rescued']).toBeGreaterThanOrEqual(1)
    expect(report['seconds']).toBeGreaterThan(0)
  },
)

test(
  '--serve opens the dashboard, says where, and keeps it open until it is told to end',
  { timeout: 60_000 },
  async () => {
    const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))
    const demo = spawn(process.execPath, [main, '--serve'], {
      env: { ...process.env, ...ownDatabase },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cleanUpAfterwards(async () => void demo.kill('SIGKILL'))
    let output = ''
    demo.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const address = await until('the address', () => /The dashboard is at (\S+)/.exec(output)?.[1])
    expect(await (await fetch(address)).text()).toContain('<title>pgq demo</title>')
    await until('the story is over', () => output.includes('0 lost, 0 duplicated'))
    const queues = await (await fetch(`${address}/api/queues`)).json()
    expect(queues).toMatchObject([{ queue: 'payment.webhook', dead: { jobs: 4 } }])
    demo.kill('SIGTERM')
    expect(await once(demo, 'exit')).toEqual([0, null])
  },
)

test('--help explains, and an argument that nobody knows is refused', async () => {
  expect(await runNode('dist/main.js', ['--help'])).toMatchObject({ code: 0, stderr: '' })
  const { code, stdout, stderr } = await runNode('dist/main.js', ['--jsno'])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain('unknown argument --jsno')
})
