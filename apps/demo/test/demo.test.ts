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

test('--help explains, and an argument that nobody knows is refused', async () => {
  expect(await runNode('dist/main.js', ['--help'])).toMatchObject({ code: 0, stderr: '' })
  const { code, stdout, stderr } = await runNode('dist/main.js', ['--jsno'])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain('unknown argument --jsno')
})
