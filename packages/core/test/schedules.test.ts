import { until, work } from '@pgq/test-support'
import { expect, test, vi } from 'vitest'
import {
  type Handler,
  handle,
  nextTicks,
  type PgqErrorCode,
  schedule,
  type ScheduleRule,
  tickOf,
  type,
} from '../src/index.ts'
import { defineQueue } from '../src/job/queue.ts'
import { type FreshQueue, freshQueue } from './support/fresh-queue.ts'
import { collect } from './support/collect.ts'

const queue = defineQueue('reports', { payload: type<{ kind: string }>(), maxAttempts: 7 })
const quick = { lease: '1s' } as const
const idle: Handler = handle(queue, () => {})
const daily: ScheduleRule = { cron: '0 6 * * *', timezone: 'Europe/Berlin' }
const coded = (code: PgqErrorCode) => expect.objectContaining({ code })

const named = (name: string, kind: string) => schedule(queue, daily, { kind }, { name })

/** Puts the next tick of a schedule into the past, as an outage does. */
const backdate = ({ sql, schema }: FreshQueue, name: string, interval: string): Promise<unknown> =>
  sql(
    `UPDATE ${schema}.schedules SET next_at = date_trunc('hour', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '${interval}' WHERE name = '${name}'`,
  )

const nextAt = async ({ pgq }: FreshQueue, name: string): Promise<Date> =>
  until('the next tick is known', async () => (await pgq.schedules.get(name))?.nextAt ?? undefined)

test('a declared schedule enqueues a job at each tick, which says which tick it is for', async () => {
  const { pgq } = await freshQueue()
  const ticked = collect(pgq, 'schedule.ticked')
  const jobs: {
    tick: ReturnType<typeof tickOf>
    scheduledFor: Date
    payload: unknown
    maxAttempts: number
    kept: unknown
  }[] = []
  const handler = handle(queue, (job) => {
    jobs.push({
      tick: tickOf(job),
      scheduledFor: job.scheduledFor,
      payload: job.payload,
      maxAttempts: job.maxAttempts,
      kept: job.metadata['tenant'],
    })
  })
  const every = schedule(
    queue,
    { every: '1s' },
    { kind: 'tick' },
    { name: 'second', metadata: { tenant: 'acme' } },
  )
  await work(pgq, [handler], { ...quick, schedules: [every] })
  await until('three have run', () => jobs.length >= 3)
  for (const { tick, scheduledFor, ...rest } of jobs) {
    expect(tick).toEqual({ schedule: 'second', at: scheduledFor, manual: false })
    expect(scheduledFor.getMilliseconds()).toBe(0)
    expect(rest).toEqual({ payload: { kind: 'tick' }, maxAttempts: 7, kept: 'acme' })
  }
  const ticks = ticked.flatMap((event) => event.ticks.map(Number))
  expect(ticks).toEqual(Array.from(ticks, (_, n) => (ticks[0] as number) + n * 1_000))
})

test('a cron schedule knows its next tick, and next() shows those after it', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  await work(pgq, [idle], { ...quick, schedules: [schedule(queue, daily, { kind: 'daily' })] })
  const first = await nextAt(fresh, 'reports')
  expect(await pgq.schedules.next('reports', 3)).toEqual(nextTicks(daily, 3))
  expect(first).toEqual(nextTicks(daily, 1)[0])
  expect(await pgq.schedules.get('reports')).toMatchObject({
    queue: 'reports',
    declared: true,
    pausedAt: null,
    payload: { kind: 'daily' },
  })
})

test('a one-off runs once, is finished then, and stays so however often it is declared', async () => {
  const { pgq } = await freshQueue()
  const ticked = collect(pgq, 'schedule.ticked')
  const once = schedule(queue, { at: new Date(Date.now() - 5_000) }, { kind: 'once' }, { name: 'once' })
  const worker = await work(pgq, [idle], { ...quick, schedules: [once] })
  await until('it has ticked', () => ticked.length > 0)
  await worker.stop()
  const again = await work(pgq, [idle], {
    ...quick,
    schedules: [once, schedule(queue, { every: '1s' }, { kind: 'beat' })],
  })
  await until('others tick', () => ticked.filter((event) => event.schedule === 'reports').length >= 2)
  await again.stop()
  expect(ticked.filter((event) => event.schedule === 'once')).toHaveLength(1)
  expect(await pgq.schedules.get('once')).toMatchObject({ nextAt: null, finishedAt: expect.any(Date) })
  expect(await pgq.schedules.next('once')).toEqual([])
})

test('a one-off that is written down more than a week after its moment does not run: it may have, and been forgotten', async () => {
  const { pgq } = await freshQueue()
  const ticked = collect(pgq, 'schedule.ticked')
  const dropped = collect(pgq, 'schedule.missed')
  const at = (name: string, days: number) =>
    schedule(queue, { at: new Date(Date.now() - days * 86_400_000) }, { kind: name }, { name })
  const ancient = at('upserted', 7.1)
  await pgq.schedules.upsert(ancient)
  await pgq.schedules.upsert(at('late', 6.9))
  await work(pgq, [idle], { ...quick, schedules: [at('declared', 7.1)] })
  await until('the late one ticks', () => ticked.length > 0)
  await until('the others are finished', () => dropped.length >= 2)
  await pgq.schedules.upsert(ancient)
  await pgq.schedules.upsert(schedule(queue, { every: '1s' }, { kind: 'beat' }, { name: 'beat' }))
  await until('another ticks', () => ticked.some((event) => event.schedule === 'beat'))
  expect(ticked.filter((event) => event.schedule !== 'beat').map((event) => event.schedule)).toEqual(['late'])
  expect(dropped.map((event) => event.schedule).toSorted()).toEqual(['declared', 'upserted'])
  expect(await pgq.schedules.get('upserted')).toMatchObject({ lastAt: null, finishedAt: expect.any(Date) })
})

test.each([
  ['skip', 0],
  ['once', 1],
  [{ fill: 3 }, 3],
] as const)('of ticks that nobody was there for, %j runs %i', async (missed, count) => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const name = 'outage'
  // At the half hour, and the test puts the outage at full hours before: nothing is on time by chance.
  const rule = {
    every: '1h',
    from: new Date(Date.UTC(2020, 0, 1, 0, (new Date().getUTCMinutes() + 30) % 60)),
  } as const
  await pgq.schedules.upsert(schedule(queue, rule, { kind: 'hourly' }, { name, missed }))
  await fresh.sql(`UPDATE ${fresh.schema}.schedules SET next_at = '2021-01-01 00:00Z' WHERE name = '${name}'`)
  const ticked = collect(pgq, 'schedule.ticked')
  const dropped = collect(pgq, 'schedule.missed')
  await work(pgq, [idle], quick)
  await until('it has moved on', () => dropped.length > 0)
  expect(dropped).toHaveLength(1)
  const ticks = ticked.flatMap((event) => event.ticks.map(Number))
  const last = nextTicks(rule, 1)[0] as Date
  expect(ticks).toEqual(Array.from({ length: count }, (_, n) => Number(last) - (count - n) * 3_600_000))
  expect(await nextAt(fresh, name)).toEqual(last)
})

test('a paused schedule rests, durably, and resume goes on by its policy', async () => {
  const fresh = await freshQueue()
  const { pgq } = fresh
  const ticked = collect(pgq, 'schedule.ticked')
  await pgq.schedules.upsert(
    schedule(queue, { every: '1h' }, { kind: 'x' }, { name: 'paused', missed: { fill: 2 } }),
  )
  await pgq.schedules.upsert(schedule(queue, { every: '1s' }, { kind: 'x' }, { name: 'beat' }))
  await pgq.schedules.pause('paused')
  await backdate(fresh, 'paused', '9 hours')
  await work(pgq, [idle], quick)
  await until('another ticks', () => ticked.length >= 2)
  expect(ticked.some((event) => event.schedule === 'paused')).toBe(false)
  await pgq.schedules.resume('paused')
  const event = await until('it goes on', () => ticked.find(({ schedule: name }) => name === 'paused'))
  expect(event.ticks).toHaveLength(2)
})

test.each([
  ['skip', 0],
  ['once', 1],
  [{ fill: 3 }, 3],
] as const)('of what a pause of some seconds has missed, %j runs %i', async (missed, count) => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  // The last tick was 20 seconds ago.
  const last = Math.floor(Date.now() / 1_000) * 1_000 - 20_000
  const rule = { every: '1h', from: new Date(last - 10 * 3_600_000) } as const
  await pgq.schedules.upsert(schedule(queue, rule, { kind: 'x' }, { name: 'short', missed }))
  await pgq.schedules.pause('short')
  await sql(`UPDATE ${schema}.schedules SET next_at = starts_at + interval '5 hours'`)
  if (missed === 'once') await pgq.schedules.resume('short')
  else await sql(`UPDATE ${schema}.schedules SET paused_at = NULL`)
  const ticked = collect(pgq, 'schedule.ticked')
  const dropped = collect(pgq, 'schedule.missed')
  await work(pgq, [idle], quick)
  await until('it has moved on', () => dropped.length > 0)
  const ticks = ticked.flatMap((event) => event.ticks.map(Number))
  expect(ticks).toEqual(Array.from({ length: count }, (_, n) => last - (count - 1 - n) * 3_600_000))
})

test('run now enqueues a job and moves no tick', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  await pgq.schedules.upsert(
    schedule(queue, daily, { kind: 'by hand' }, { name: 'nightly', uniqueKey: 'nightly' }),
  )
  const { id, deduplicated } = await pgq.schedules.runNow('nightly')
  expect(deduplicated).toBe(false)
  const job = await pgq.get(id)
  expect(job).toMatchObject({ queue: 'reports', payload: { kind: 'by hand' }, uniqueKey: 'nightly' })
  expect(job && tickOf(job)).toMatchObject({ schedule: 'nightly', manual: true })
  expect(await pgq.schedules.runNow('nightly')).toEqual({ id, deduplicated: true })
  expect(await sql(`SELECT * FROM ${schema}.run_schedule('nightly')`)).toEqual([{ id, deduplicated: true }])
  expect(await pgq.schedules.get('nightly')).toMatchObject({ lastAt: null, nextAt: null })
})

test('a tick whose predecessor still waits is held back by a unique key', async () => {
  const { pgq } = await freshQueue()
  const ticked = collect(pgq, 'schedule.ticked')
  const other = defineQueue('nobody.works.here')
  await pgq.schedules.upsert(schedule(other, { every: '1s' }, 1, { uniqueKey: 'one at a time' }))
  await work(pgq, [idle], quick)
  // A leader that is late runs several ticks at once, so they are counted, not looked at one by one.
  const count = (of: (event: (typeof ticked)[number]) => number): number =>
    ticked.reduce((sum, event) => sum + of(event), 0)
  await until('one was held back', () => count(({ deduplicated }) => deduplicated) >= 1)
  expect(count(({ ids }) => ids.length)).toBe(1)
  expect((await pgq.list({ queue: other })).jobs).toHaveLength(1)
})

test('keys that an open transaction holds delay their own ticks, and those of no other schedule', async () => {
  const { pgq, pool } = await freshQueue()
  const held = Array.from({ length: 10 }, (_, n) =>
    schedule(queue, { every: '1s' }, { kind: 'held' }, { name: `held ${n}`, uniqueKey: `key ${n}` }),
  )
  for (const one of held) await pgq.schedules.upsert(one)
  const holder = await pool.connect()
  await holder.query('BEGIN')
  for (const { name } of held) await pgq.schedules.runNow(name, { tx: holder })
  await pgq.schedules.upsert(schedule(queue, { every: '1s' }, { kind: 'beat' }, { name: 'beat' }))
  const ticked = collect(pgq, 'schedule.ticked')
  const errors = collect(pgq, 'error')
  const lateMs: number[] = []
  pgq.events.on('schedule.ticked', (event) => {
    for (const tick of event.ticks) if (event.schedule === 'beat') lateMs.push(Date.now() - Number(tick))
  })
  await work(pgq, [idle])
  await until('the other one ticks on', () => lateMs.length >= 9)
  expect(ticked.filter((event) => event.schedule !== 'beat')).toEqual([])
  // The first pass meets all ten, a tenth of a second for each; after it they are tried now and then.
  expect(lateMs.slice(4).toSorted((a, b) => a - b)[2]).toBeLessThan(1_000)
  expect(errors.length).toBeGreaterThan(0)
  await holder.query('ROLLBACK')
  holder.release()
  await until('they tick', () => new Set(ticked.map((event) => event.schedule)).size === 11)
})

test('upsert and remove belong to the transaction that they are made in', async () => {
  const { pgq } = await freshQueue()
  const mine = schedule(queue, daily, { kind: 'mine' }, { name: 'user.7' })
  await expect(
    pgq.transaction(async (tx) => {
      await pgq.schedules.upsert(mine, { tx })
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  expect(await pgq.schedules.get('user.7')).toBeNull()
  await pgq.schedules.upsert(mine)
  await pgq.transaction((tx) => pgq.schedules.remove('user.7', { tx }))
  expect(await pgq.schedules.list()).toEqual([])
  expect(await pgq.schedules.remove('user.7')).toBe(false)
})

test('a changed rule counts from now; an unchanged one is not written at all', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const ticked = collect(pgq, 'schedule.ticked')
  await pgq.schedules.upsert(
    schedule(queue, { every: '1h' }, { kind: 'x' }, { name: 'changed', missed: { fill: 100 } }),
  )
  await work(pgq, [idle], quick)
  await nextAt(fresh, 'changed')
  const row = `SELECT xmin::text FROM ${schema}.schedules`
  const before = await sql(row)
  await pgq.schedules.upsert(
    schedule(queue, { every: '1h' }, { kind: 'x' }, { name: 'changed', missed: { fill: 100 } }),
  )
  expect(await sql(row)).toEqual(before)
  await pgq.schedules.upsert(
    schedule(queue, { cron: '0 0 1 1 *' }, { kind: 'y' }, { name: 'changed', missed: { fill: 100 } }),
  )
  expect(await nextAt(fresh, 'changed')).toEqual(nextTicks({ cron: '0 0 1 1 *' }, 1)[0])
  expect(ticked.filter(({ ticks }) => ticks.some((tick) => tick.getUTCFullYear() < 2025))).toEqual([])
})

const everyOne = (one: '1h' | '2h', from: number) =>
  schedule(queue, { every: one, from: new Date(from) }, { kind: 'x' }, { name: one })

test('a tick that is due at the moment when a rule is changed is not lost, if the new rule has it as well', async () => {
  const fresh = await freshQueue()
  const { pgq, sql, schema } = fresh
  const hour = Math.floor(Date.now() / 1_000) * 1_000 - 5_000
  // Five seconds ago the ticks of both became due, and no leader has seen them yet. Only one of the new rules has it.
  for (const name of ['1h', '2h'] as const) await pgq.schedules.upsert(everyOne(name, hour - 7_200_000))
  await sql(`UPDATE ${schema}.schedules SET next_at = to_timestamp($1::float8 / 1000)`, [hour])
  await sql(`UPDATE ${schema}.schedules SET every_ms = 1800000 WHERE name = '1h'`)
  await sql(
    `UPDATE ${schema}.schedules SET starts_at = starts_at - interval '10 min', missed = 'skip' WHERE name = '2h'`,
  )
  const ticked = collect(pgq, 'schedule.ticked')
  await work(pgq, [idle], quick)
  await nextAt(fresh, '1h')
  await nextAt(fresh, '2h')
  expect(ticked.map(({ schedule: name, ticks }) => [name, ticks])).toEqual([['1h', [new Date(hour)]]])
})

const hours = (rule: ScheduleRule) => nextTicks(rule, 10, new Date(0)).map((tick) => tick.getUTCHours())

test('until ends the ticks of a rule, and the schedule is finished then', async () => {
  const { pgq } = await freshQueue()
  const end = new Date(Date.UTC(2030, 0, 1, 2))
  const from = new Date(Date.UTC(2030, 0, 1))
  expect(hours({ every: '1h', from, until: end })).toEqual([0, 1, 2])
  expect(hours({ cron: '0 * * * *', from, until: end })).toEqual([0, 1, 2])
  const past = { every: '1h', from: new Date(0), until: new Date(Date.now() - 60_000) } as const
  await pgq.schedules.upsert(schedule(queue, past, { kind: 'x' }, { name: 'over', missed: 'skip' }))
  await work(pgq, [idle], quick)
  await until('it is finished', async () => (await pgq.schedules.get('over'))?.finishedAt ?? undefined)
  expect(await pgq.schedules.get('over')).toMatchObject({ nextAt: null })
})

const inBerlin = (cron: string, count: number): string[] =>
  nextTicks({ cron, timezone: 'Europe/Berlin' }, count, new Date('2028-06-01T00:00:00Z')).map((tick) =>
    tick.toISOString().slice(0, 16),
  )

test('the ticks of a rare rule in a time zone are found without looking at all the time between them', () => {
  const offsets = vi.spyOn(Intl.DateTimeFormat.prototype as { readonly format: unknown }, 'format', 'get')
  try {
    // In 2030 the clocks skip that half hour.
    expect(inBerlin('30 2 31 3 *', 3)).toEqual(['2029-03-31T00:30', '2030-03-31T01:30', '2031-03-31T00:30'])
    expect(inBerlin('0 3 1 7 *', 2)).toEqual(['2028-07-01T01:00', '2029-07-01T01:00'])
    offsets.mockClear()
    expect(inBerlin('0 3 1 1 *', 100).at(-1)).toBe('2128-01-01T02:00')
    // Every six hours of a hundred years would be 146,000.
    expect(offsets.mock.calls.length).toBeLessThan(100 * 60)
  } finally {
    offsets.mockRestore()
  }
})

test('what is written by SQL is followed, and a rule that cannot be is marked and harms no other', async () => {
  const { pgq, sql, schema } = await freshQueue()
  const ticked = collect(pgq, 'schedule.ticked')
  await sql(
    `INSERT INTO ${schema}.schedules (name, queue_name, every_ms) VALUES ('by hand', 'reports', 1000)`,
  )
  await sql(
    `INSERT INTO ${schema}.schedules (name, queue_name, cron) VALUES ('wrong', 'reports', 'whenever')`,
  )
  await work(pgq, [idle], quick)
  await until('it ticks', () => ticked.length >= 2)
  expect(await pgq.schedules.get('wrong')).toMatchObject({
    error: expect.stringContaining('"whenever"'),
    nextAt: null,
  })
  await sql(`UPDATE ${schema}.schedules SET cron = '* * * * * *' WHERE name = 'wrong'`)
  await until('it ticks as well', () => ticked.some((event) => event.schedule === 'wrong'))
  await sql(`UPDATE ${schema}.schedules SET paused_at = now() WHERE name = 'wrong'`)
  expect(await pgq.schedules.get('wrong')).toMatchObject({ error: null, pausedAt: expect.any(Date) })
})

test('in a rolling deploy both versions are kept up, the newer one decides, and what nobody declares any more rests', async () => {
  const { pgq } = await freshQueue()
  const states = async () =>
    Object.fromEntries(
      (await pgq.schedules.list()).map((one) => [
        one.name,
        `${(one.payload as { kind: string }).kind}${one.retiredAt ? ' rests' : ''}`,
      ]),
    )
  const old = await work(pgq, [idle], { ...quick, schedules: [named('a', 'old'), named('b', 'old')] })
  expect(await states()).toEqual({ a: 'old', b: 'old' })
  await work(pgq, [idle], { ...quick, schedules: [named('a', 'new'), named('c', 'new')] })
  expect(await states()).toEqual({ a: 'new', b: 'old', c: 'new' })
  await expect(pgq.schedules.remove('c')).rejects.toThrow(coded('SCHEDULE_IN_CODE'))
  await expect(pgq.schedules.upsert(named('c', 'other'))).rejects.toThrow(coded('SCHEDULE_IN_CODE'))
  await old.stop()
  await until('b rests', async () => (await states())['b'] === 'old rests')
  expect(await states()).toEqual({ a: 'new', b: 'old rests', c: 'new' })
  // A worker that says nothing of schedules changes nothing.
  await work(pgq, [idle], quick)
  expect(await pgq.schedules.remove('b')).toBe(true)
  expect(await states()).toEqual({ a: 'new', c: 'new' })
})

test.each([
  [{ cron: '0 0 31 2 *' }, 'INVALID_SCHEDULE', 'never comes true'],
  [{ cron: '61 * * * *' }, 'INVALID_SCHEDULE', '"61 * * * *"'],
  [{ cron: '* * *' }, 'INVALID_SCHEDULE', 'five fields'],
  [{ cron: '0 0 1 1 * * 2030' }, 'INVALID_SCHEDULE', 'five fields'],
  [{ cron: '* * * * *', timezone: 'Mars/Base' }, 'INVALID_SCHEDULE', '"Mars/Base"'],
  [{ every: '1s', timezone: 'UTC' }, 'INVALID_SCHEDULE', 'timezone'],
  [{ every: '10ms' }, 'INVALID_OPTION', 'every'],
  [{ every: '1h', cron: '* * * * *' }, 'INVALID_SCHEDULE', 'cron and every'],
  [{}, 'INVALID_SCHEDULE', 'none'],
  [{ at: new Date('?') }, 'INVALID_OPTION', 'at'],
  [{ cron: '* * * * *', zone: 'UTC' }, 'INVALID_OPTION', '"zone"'],
] as const)('the rule %j is refused', (rule, code, says) => {
  const define = () => schedule(queue, rule as never, { kind: 'x' })
  expect(define).toThrow(coded(code))
  expect(define).toThrow(says)
})

test('options that make no sense are refused', async () => {
  const { pgq } = await freshQueue()
  const having = (options: object) => () => schedule(queue, daily, { kind: 'x' }, options)
  expect(having({ delay: '1s' })).toThrow(coded('INVALID_OPTION'))
  expect(having({ missed: 'all' })).toThrow(/'skip', 'once' or/)
  expect(having({ missed: { fill: 5_000 } })).toThrow(coded('INVALID_OPTION'))
  expect(having({ name: '' })).toThrow(coded('INVALID_OPTION'))
  const one = schedule(queue, daily, { kind: 'x' })
  expect(() => pgq.createWorker([idle], { schedules: [one, one] })).toThrow(/two schedules "reports"/)
  expect(() => pgq.createWorker([idle], { schedules: ['reports'] as never })).toThrow(coded('INVALID_OPTION'))
  for (const call of ['pause', 'resume', 'runNow', 'next'] as const)
    await expect(pgq.schedules[call]('nothing')).rejects.toThrow(coded('UNKNOWN_SCHEDULE'))
})
