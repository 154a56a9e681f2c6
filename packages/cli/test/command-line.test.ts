import { defineQueue } from '@pgq/core'
import { describe, expect, test } from 'vitest'
import { bareEnvironment, cliQueue, MAIN, runPgq, runProgram } from './support/cli-queue.ts'
import { runHere } from './support/run-here.ts'

describe('migrate', () => {
  test('--check says no until migrate has been run', async () => {
    const { run, json, schema } = await cliQueue({ migrated: false })
    expect(await json('migrate', '--check')).toMatchObject({
      code: 3,
      answer: { schema, isCurrent: false, code: 'SCHEMA_MISSING' },
    })
    expect(await run('migrate', '--check')).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/is not in this database.*\n.*pgq migrate creates it/),
    })
    const first = await json('migrate')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.answer.applied.length).toBe(first.answer.version)
    expect(await run('migrate')).toMatchObject({
      code: 0,
      stdout: `the schema "${schema}" is at version ${first.answer.version} already\n`,
    })
    expect(await run('migrate', '--check')).toMatchObject({
      code: 0,
      stdout: `the schema "${schema}" is up to date\n`,
    })
  })

  test('--print needs no database, and prints what makes the schema', async () => {
    const { sql, schema, json } = await cliQueue({ migrated: false })
    const printed = await runPgq(['migrate', '--print', '--schema', schema], bareEnvironment())
    expect(printed).toMatchObject({ code: 0, stderr: '' })
    await sql(printed.stdout)
    expect(await json('migrate', '--check')).toMatchObject({ code: 0, answer: { isCurrent: true } })
  })
})

describe('the command line', () => {
  test('what is wrong with it exits with 2 and says what', async () => {
    const { env } = await cliQueue()
    const wrong: [RegExp, ...string[]][] = [
      [/Usage: pgq/],
      [/unknown command 'statsu'.*\n?.*Did you mean status/, 'statsu'],
      [/unknown option '--nope'/, 'jobs', 'list', '--nope'],
      [/There are pending, /, 'jobs', 'list', '--status', 'done'],
      [/must be JSON/, 'jobs', 'list', '--payload', '{a'],
      [/must be a date/, 'jobs', 'list', '--created-after', 'yesterday'],
      [/must be a whole number, 1 to 1,000/, 'jobs', 'list', '--limit', '0'],
      [/must be the id of a job/, 'jobs', 'show', 'x'],
      [/which jobs\?/, 'jobs', 'delete'],
      [/which jobs\?.*or --all/, 'jobs', 'redrive'],
      [/--print' cannot be used with option '--check'/, 'migrate', '--print', '--check'],
      [/not both/, 'jobs', 'retry', '00000000-0000-7000-8000-000000000000', '--queue', 'q'],
      [/delete does nothing to jobs that are processing/, 'jobs', 'delete', '--status', 'processing'],
      [/missing required argument 'queue'/, 'queues', 'pause'],
      [/too many arguments/, 'workers', 'x'],
      [/longTransaction/, 'doctor', '--long-transaction', 'soon'],
      [/there is no file/, 'work', 'nowhere.mjs'],
      [/schema/, 'status', '--schema', 'pg_mine'],
      [/can not be read/, 'status', '--url', 'postgres://me:sec ret@:x/y'],
      [/must begin with postgres:/, 'status', '--url', 'mysql://root:secret@host'],
    ]
    for (const [message, ...args] of wrong) {
      const { code, stdout, stderr } = await runHere(args, env)
      expect({ args, code, stdout, stderr }).toEqual({
        args,
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(message),
      })
      expect(stderr).not.toContain('secret')
    }
  })

  test('without a database it says how to name one; help and version need none', async () => {
    expect(await runPgq(['status'], bareEnvironment())).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--url.*DATABASE_URL/),
    })
    expect(await runPgq(['--version'], bareEnvironment())).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
    const help = await runPgq(['jobs', 'delete', '--help'], bareEnvironment())
    expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/--dry-run[^]*--url/) })
  })

  test('a database that is away exits with 1, tells no password, and is JSON if that was asked for', async () => {
    const env = { ...bareEnvironment(), DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/db' }
    const { code, stdout, stderr } = await runPgq(['status', '--json'], env)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'DATABASE_UNAVAILABLE' } })
    const forPeople = await runPgq(['status'], env)
    expect(forPeople.stderr).toContain('asked 127.0.0.1:1/db: is it up')
    expect(stderr + forPeople.stderr).not.toMatch(/secret/)
  })

  test('what is wrong with the command line is JSON as well if that was asked for', async () => {
    for (const args of [['statsu'], ['jobs', 'list', '--limit', 'x'], ['jobs', 'delete']]) {
      const env = { ...bareEnvironment(), DATABASE_URL: 'postgres://127.0.0.1:1/db' }
      const { code, stdout, stderr } = await runHere([...args, '--json'], env)
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'USAGE', message: expect.any(String) } })
    }
  })

  test('a reader who has seen enough ends it without a word', async () => {
    const { pgq, env } = await cliQueue()
    const payload = 'long'.repeat(60)
    await pgq.enqueueMany(
      defineQueue('mails'),
      Array.from({ length: 1_000 }, () => payload),
    )
    const pipeline = `'${process.execPath}' '${MAIN}' jobs list --limit 1000 | head -n 1; echo "\${PIPESTATUS[0]}"`
    expect(await runProgram('bash', ['-c', pipeline], env)).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^ID .*\n0\n$/),
      stderr: '',
    })
  })

  test('a schema that is not there exits with 1', async () => {
    const { run } = await cliQueue({ migrated: false })
    expect(await run('status')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/\(SCHEMA_MISSING\)\n.*pgq migrate creates it/),
    })
  })
})
