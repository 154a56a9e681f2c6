import { expect, test } from 'vitest'
import { defineQueue, type UniqueOptions } from '../src/index.ts'
import { freshQueue } from './support/fresh-queue.ts'

test.each<[UniqueOptions, RegExp]>([
  [{}, /needs a key or fields/],
  [{ key: 'a', fields: ['b'] }, /both key and fields/],
  [{ key: '' }, /unique\.key/],
  [{ fields: [] }, /unique\.fields/],
  [{ key: 'a', statuses: ['failed'] }, /must include pending/],
  [{ key: 'a', statuses: ['pending', 'completed'] }, /for a period/],
  [{ key: 'a', statuses: ['pending', 'done' as never] }, /list of pending/],
  [{ key: 'a', period: 0 }, /unique\.period/],
  [{ key: 'a', onConflict: 'drop' as never }, /onConflict/],
  [{ key: 'a', onConflict: { replace: [] } }, /onConflict\.replace/],
  [{ key: 'a', onConflict: { debounce: '5s', maxWait: '1s' } }, /maxWait/],
  [{ key: 'a', onConflict: { debounce: '5s' } as never }, /maxWait/],
  [{ key: 'a', serial: true, statuses: ['pending', 'processing'] }, /serial/],
  [{ key: 'a', until: 'x' } as never, /no option "until"/],
])('%j is refused', (unique, message) => {
  expect(() => defineQueue('q', { unique })).toThrow(message)
})

test.each([
  [`unique_period => '1 h'`, 'needs a unique_key'],
  [`unique_key => 'k', unique_statuses => '{failed}'`, 'pending one of them'],
  [`unique_key => 'k', unique_statuses => '{pending,dead}'`, 'unique_period'],
  [`unique_key => 'k', replace => '{status}'`, 'replace must name'],
  [`unique_key => 'k', debounce => '1 s'`, 'go together'],
  [`unique_key => 'k', debounce => '5 s', max_wait => '1 s'`, 'no shorter'],
  [`unique_key => 'k', replace => '{payload}', debounce => '5 s', max_wait => '5 s'`, 'choose one'],
  [`unique_key => 'k', serial => true, unique_statuses => '{pending,processing}'`, 'leave processing out'],
])('SQL refuses %s', async (args, message) => {
  const { sql, schema } = await freshQueue()
  await expect(sql(`SELECT ${schema}.enqueue('mail', ${args})`)).rejects.toMatchObject({
    code: '22023',
    message: expect.stringContaining(message),
  })
})
