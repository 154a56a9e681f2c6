import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanUpAfterwards, until } from '@pgq/test-support'
import { defineQueue } from '@pgq/core'
import { expect, test } from 'vitest'
import { cliQueue, FIXTURES, MAIN, runPgq } from './support/cli-queue.ts'

/** Writes a module into the package, where its imports resolve. */
function moduleFile(name: string, code: string): string {
  const directory = mkdtempSync(join(FIXTURES, 'tmp-'))
  cleanUpAfterwards(async () => rmSync(directory, { recursive: true }))
  const file = join(directory, name)
  writeFileSync(file, code)
  return file
}

/** Starts `pgq work`, ends it with a signal once `until` says so, and tells how it ended. */
async function workUntil(env: NodeJS.ProcessEnv, args: readonly string[], isDone: () => Promise<boolean>) {
  const child = spawn(process.execPath, [MAIN, 'work', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const ended = once(child, 'close')
  await until('it has worked', async () => (await isDone()) || child.exitCode !== null)
  child.kill('SIGTERM')
  await ended
  return { code: child.exitCode, output }
}

test('a worker of a module works, logs JSON if that is asked for, and stops on SIGTERM', async () => {
  const { pgq, env } = await cliQueue()
  const { id } = await pgq.enqueue(defineQueue('mails'), { to: 'ada' })
  const failing = await pgq.enqueue(defineQueue('reports'), {}, { maxAttempts: 1 })
  const isDone = async (): Promise<boolean> =>
    (await pgq.get(id))?.status === 'completed' && (await pgq.get(failing.id))?.status === 'dead'
  const { code, output } = await workUntil(
    env,
    [join(FIXTURES, 'handlers.mjs'), '--json', '--verbose', '--name', 'wanda'],
    isDone,
  )
  expect(code).toBe(0)
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toContainEqual(
    expect.objectContaining({
      level: 'error',
      event: 'job.dead',
      jobId: failing.id,
      message: expect.stringMatching(/job.dead: reports .*the printer is on fire/),
    }),
  )
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 'debug', event: 'job.completed', queue: 'mails', jobId: id }),
  )
  expect(await pgq.get(id)).toMatchObject({ result: { sentTo: 'ada' } })
  expect(await pgq.schedules.get('newsletter')).toMatchObject({ queue: 'mails', declared: true })
  expect(await pgq.workers()).toEqual([])
})

test('a module may be CommonJS, may be a function of the pgq, and is closed in the end', async () => {
  const { pgq, env } = await cliQueue()
  const file = moduleFile(
    'jobs.cjs',
    `const { defineQueue, handle } = require('@pgq/core')
     module.exports = async (pgq) => {
       const open = setInterval(() => {}, 1000) // keeps the process, unless close ends it
       const first = handle(defineQueue('first'), async () => { await pgq.enqueue(defineQueue('second'), {}) })
       const second = handle(defineQueue('second'), () => {})
       return { handlers: [first, second], close: () => { clearInterval(open); console.log('closed') } }
     }`,
  )
  await pgq.enqueue(defineQueue('first'), {})
  const isDone = async (): Promise<boolean> => (await pgq.counts({ queue: 'second' })).length > 0
  const { code, output } = await workUntil(env, [file, '--queue', 'first'], isDone)
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('closed') })
  expect(await pgq.counts()).toEqual([
    { queue: 'first', status: 'completed', jobs: 1 },
    { queue: 'second', status: 'pending', jobs: 1 },
  ])
})

test('a worker that nobody reads any more stops in peace', async () => {
  const { pgq, env } = await cliQueue()
  const child = spawn(process.execPath, [MAIN, 'work', join(FIXTURES, 'handlers.mjs'), '--verbose'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await until('it works', async () => (await pgq.workers()).length === 1)
  child.stdout.destroy()
  child.stderr.destroy()
  const ended = once(child, 'exit')
  await pgq.enqueue(defineQueue('mails'), {}) // of which it has something to say
  expect(await ended).toEqual([0, null])
  expect(await pgq.workers()).toEqual([])
})

test('what a module has opened is closed when its worker can not start, and keeps no process alive', async () => {
  const { env } = await cliQueue({ migrated: false })
  const code = `
    import { defineQueue, handle } from '@pgq/core'
    setInterval(() => {}, 1000)
    export const handlers = [handle(defineQueue('mails'), () => {})]`
  for (const close of [`export const close = () => console.log('closed')`, '']) {
    const done = await runPgq(['work', moduleFile('open.mjs', `${code}\n${close}`)], env)
    expect(done).toMatchObject({ code: 1, stderr: expect.stringContaining('SCHEMA_MISSING') })
    expect(done.stdout).toBe(close && 'closed\n')
  }
})

test('a module without work in it, or one that does not load, is refused with the reason', async () => {
  const { env } = await cliQueue()
  const cases: [number, RegExp, string, string, ...string[]][] = [
    [2, /exports no handlers/, 'empty.mjs', 'export const handlers = []'],
    [2, /exports no handlers/, 'wrong.mjs', 'export default () => [1]'],
    [
      2,
      /none of the queues of .* is sms/,
      'other.mjs',
      `import { defineQueue, handle } from '@pgq/core'; export const handlers = [handle(defineQueue('mails'), () => {})]`,
      '--queue',
      'sms',
    ],
    [1, /it is broken/, 'broken.mjs', `throw new Error('it is broken')`],
  ]
  if (!('typescript' in process.features))
    cases.push([2, /compile it, or set NODE_OPTIONS/, 'typed.ts', 'export const handlers: unknown[] = []'])
  for (const [code, message, name, source, ...options] of cases)
    expect(await runPgq(['work', moduleFile(name, source), ...options], env), name).toMatchObject({
      code,
      stderr: expect.stringMatching(message),
    })
})
