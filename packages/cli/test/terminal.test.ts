import { defineQueue } from '@pgq/core'
import { cleanUpAfterwards, freshName, until } from '@pgq/test-support'
import { describe, expect, test } from 'vitest'
import { FIXTURES, cliQueue } from './support/cli-queue.ts'
import { hasTerminal, Terminal } from './support/terminal.ts'

const mails = defineQueue('mails')

/** A role that may look, and can be locked out. */
async function roleOf(schema: string, sql: (text: string) => Promise<unknown>): Promise<string> {
  const role = freshName()
  await sql(`CREATE ROLE ${role} LOGIN`)
  cleanUpAfterwards(async () => {
    await sql(`DROP OWNED BY ${role}`)
    await sql(`DROP ROLE ${role}`)
  })
  await sql(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`)
  await sql(`GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role}`)
  return role
}

// As a person types it, in a terminal of tmux.
describe.skipIf(!hasTerminal)('at a terminal', { timeout: 60_000 }, () => {
  test('deleting says how many jobs of what, asks, and does what the answer says', async () => {
    const { pgq, env } = await cliQueue()
    await pgq.enqueueMany(
      mails,
      Array.from({ length: 1_200 }, (_, n) => n),
    )
    const terminal = new Terminal(env)
    terminal.type('pgq jobs delete --queue mails')
    expect(await terminal.see('Delete them? [y/N]')).toMatch(
      /This would delete 1,200 jobs:\nQUEUE +STATUS +JOBS\nmails +pending +1,200\n/,
    )
    terminal.type('')
    expect(await terminal.see('exit code 4')).toContain('Nothing was changed.')
    expect(await pgq.counts()).toMatchObject([{ jobs: 1_200 }])
    terminal.type('clear; pgq jobs delete --queue mails')
    await terminal.see('Delete them? [y/N]')
    terminal.type('y')
    expect(await terminal.see('exit code 0')).toContain('1,200 jobs were deleted')
    expect(await pgq.counts()).toEqual([])
  })

  test('Ctrl-C at a question means no', async () => {
    const { pgq, env } = await cliQueue()
    const { id } = await pgq.enqueue(mails, {})
    const terminal = new Terminal(env)
    terminal.type(`pgq jobs cancel ${id}`)
    await terminal.see('Cancel it? [y/N]')
    terminal.press('C-c')
    await terminal.see('exit code 4')
    expect(await pgq.get(id)).toMatchObject({ status: 'pending' })
  })

  test('long work shows how far it is, and Ctrl-C leaves it after a whole batch', async () => {
    const { pgq, env, sql, schema } = await cliQueue()
    await sql(`INSERT INTO ${schema}.jobs (queue_name) SELECT 'mails' FROM generate_series(1, 100000)`)
    const terminal = new Terminal(env)
    terminal.type('pgq jobs cancel --queue mails --yes')
    await terminal.see(/cancel [█░]{24} \d+% +[\d,]+ of 100,000/)
    terminal.press('C-c')
    const text = await terminal.see('exit code 130')
    const [, cancelled = ''] = /interrupted: ([\d,]+) jobs were cancelled before, of 100,000/.exec(text) ?? []
    expect(text).not.toContain('█')
    const [counts] = await pgq.counts({ status: 'cancelled' })
    expect(counts?.jobs).toBe(Number(cancelled.replaceAll(',', '')))
    expect(counts?.jobs).toBeLessThan(100_000)
  })

  test('status --watch shows what changes, and Ctrl-C leaves the last of it', async () => {
    const { pgq, env } = await cliQueue()
    const terminal = new Terminal(env)
    terminal.type('echo before; pgq status --watch 200ms')
    const empty = await terminal.see('every 0.2 s, Ctrl-C ends it')
    expect(empty).toContain('No queues yet')
    expect(empty).not.toContain('before')
    await pgq.enqueueMany(mails, [1, 2, 3])
    expect(await terminal.see(/mails +3 /)).toMatch(/no worker/)
    await pgq.pause('mails', { reason: 'audit' })
    await terminal.see('paused: audit')
    terminal.press('C-c')
    const after = await terminal.see('exit code 0')
    expect(after).toContain('before')
    expect(after).toContain('paused: audit')
  })

  test('status --watch outlives a database that is away', async () => {
    const { pgq, env, sql, schema, databaseUrl } = await cliQueue()
    const role = await roleOf(schema, sql)
    const url = new URL(databaseUrl)
    url.username = role
    const terminal = new Terminal({ ...env, DATABASE_URL: url.href })
    terminal.type('pgq status --watch 200ms')
    await terminal.see('No queues yet')
    await sql(`ALTER ROLE ${role} NOLOGIN`)
    await sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role])
    await terminal.see('not permitted to log in')
    await pgq.enqueue(mails, {})
    await sql(`ALTER ROLE ${role} LOGIN`)
    expect(await terminal.see(/mails +1 /)).not.toContain('not permitted')
    terminal.press('C-c')
    await terminal.see('exit code 0')
  })

  test('a worker works until Ctrl-C, and stops in peace', async () => {
    const { pgq, env } = await cliQueue()
    const { id } = await pgq.enqueue(mails, { to: 'ada' })
    const terminal = new Terminal(env)
    terminal.type(`pgq work ${FIXTURES}/handlers.mjs`)
    await terminal.see('Working on 2 queues: mails, reports. Ctrl-C stops it.')
    await until('it is completed', async () => (await pgq.get(id))?.status === 'completed')
    terminal.press('C-c')
    expect(await terminal.see('exit code 0')).toMatch(/Stopping: waiting for running jobs.[^]*worker.stopped/)
    expect(await pgq.workers()).toEqual([])
  })

  test('bench measures in a schema that is gone afterwards', async () => {
    const { env, sql } = await cliQueue()
    const terminal = new Terminal(env)
    terminal.type('pgq bench --jobs 3000')
    const question = await terminal.see('Measure? [y/N]')
    const [name] = /pgq_bench_\w+/.exec(question) ?? []
    terminal.type('y')
    expect(await terminal.see('exit code 0')).toMatch(
      /enqueueMany +[\d,]+ jobs\/s[^]*process +[\d,]+ jobs\/s[^]*enqueue +[\d.]+ ms, p99[^]*pick-up +[\d.]+ ms, p99/,
    )
    expect(name).toBeDefined()
    expect(await sql('SELECT FROM pg_namespace WHERE nspname = $1', [name])).toEqual([])
  })

  test('colours are for terminals that want them', async () => {
    const { pgq, env } = await cliQueue()
    await pgq.enqueue(mails, {})
    const bold = '\u001b[1m'
    const colourful = new Terminal(env)
    colourful.type('pgq status')
    await colourful.see('exit code 0')
    expect(colourful.colours).toContain(bold)
    for (const line of ['NO_COLOR=1 pgq status', 'TERM=dumb pgq status', 'pgq status --no-color']) {
      const plain = new Terminal(env)
      plain.type(line)
      await plain.see('exit code 0')
      expect(plain.colours, line).not.toContain('\u001b[')
    }
  })

  test('a narrow terminal gets tables that fit, whatever is in them', async () => {
    const { pgq, env } = await cliQueue()
    await pgq.enqueue(mails, { text: '日本語'.repeat(40) })
    const terminal = new Terminal(env, { width: 90 })
    terminal.type('pgq jobs list')
    const lines = (await terminal.see('exit code 0')).trimEnd().split('\n')
    // The command, the titles, the job, the exit code: nothing has wrapped.
    expect(lines[3]).toBe('exit code 0')
    expect(lines[2]).toMatch(/pending .*日本語.*…$/)
  })

  test('text of jobs can not act upon the terminal', async () => {
    const { pgq, env, sql, schema } = await cliQueue()
    const evil = '\u001b]0;owned\u0007\u001b[2J\u009b2J\r\u202eevil\n'
    const { id } = await pgq.enqueue(defineQueue('evil'), { evil, [evil]: [evil] })
    await sql(
      `UPDATE ${schema}.jobs SET queue_name = $1, error = $1, progress = to_jsonb($1::text) WHERE id = $2`,
      [evil, id],
    )
    await sql(`INSERT INTO ${schema}.queues (name, paused_at, paused_reason) VALUES ($1, now(), $1)`, [evil])
    const terminal = new Terminal(env, { width: 200 })
    for (const command of [
      'jobs list',
      `jobs show ${id}`,
      `jobs show ${id} --json`,
      `jobs explain ${id}`,
      'queues',
      'doctor',
      'jobs delete --error evil',
    ]) {
      terminal.type(`clear; echo mark; pgq ${command}`)
      const text = await terminal.see(command.includes('delete') ? '[y/N]' : /exit code \d/)
      expect(text, command).toMatch(/^mark$/m)
      expect(text, command).toContain('\\u001b]0;owned')
      expect(terminal.title, command).not.toContain('owned')
    }
  })
})
