import { expect, test } from 'vitest'
import { placeOf } from '../src/connection.ts'
import { printable, printableJson } from '../src/terminal/printable.ts'
import { duration, fromNow } from '../src/terminal/quantities.ts'
import { cut, table } from '../src/terminal/table.ts'
import { wrap } from '../src/terminal/wrap.ts'

test('durations have two units at most', () => {
  expect([0, 999, 1_000, 59_999, 61_000, 3_600_000, 90_061_000].map(duration)).toEqual([
    '0ms',
    '999ms',
    '1s',
    '59s',
    '1m 1s',
    '1h',
    '1d 1h',
  ])
  expect(fromNow(new Date(5_000), 0)).toBe('in 5s')
  expect(fromNow(new Date(0), 61_000)).toBe('1m 1s ago')
})

test('what a terminal acts upon is escaped, and JSON stays JSON', () => {
  const evil = 'a\u001b[2J\u009b\u202e\u0000\n\ud800 👩‍👩‍👧 日本'
  expect(printable(evil)).toBe('a\\u001b[2J\\u009b\\u202e\\u0000\\n\ud800 👩‍👩‍👧 日本')
  expect(JSON.parse(printableJson({ [evil]: evil }))).toEqual({ [evil]: evil })
  expect(printableJson(evil)).not.toMatch(/[\u007f-\u009f\u202e]/)
})

test('wide characters count double, and are never cut in the middle', () => {
  expect(cut('日本語', 6)).toBe('日本語')
  expect(cut('日本語', 5)).toBe('日本…')
  expect(cut('日本語', 4)).toBe('日…')
  expect(cut('👩‍👩‍👧👩‍👩‍👧', 3)).toBe('👩‍👩‍👧…')
})

test('text is broken between words, by what is seen of it', () => {
  expect(wrap('日本 語 is a long_word_alone', 7)).toEqual(['日本 語', 'is a', 'long_word_alone'])
  expect(wrap('short', 80)).toEqual(['short'])
})

test('where a URL leads is told without the password', () => {
  expect(placeOf('postgres://me:secret@one:5432,two:5433/shop?sslmode=require')).toBe(
    'one:5432,two:5433/shop',
  )
  expect(placeOf('postgresql:///shop')).toBe('/shop')
  expect(placeOf('postgres://me:sec ret@:x/y z')).toBeUndefined()
})

test('a table shrinks what may shrink as far as it must, and leaves out what it can do without', () => {
  const columns = [
    { title: 'ID', value: (row: string[]) => row[0] ?? '' },
    { title: 'TEXT', value: (row: string[]) => row[1] ?? '', shrinks: true },
    { title: 'N', value: (row: string[]) => row[2] ?? '', align: 'right' as const },
  ]
  const rows = [
    ['id', 'a rather long text', '7'],
    ['id2', 'short', '123'],
  ]
  const plain = { title: String }
  expect(table(columns, rows, { ...plain, width: 80 })).toBe(
    ['ID   TEXT                  N', 'id   a rather long text    7', 'id2  short               123'].join(
      '\n',
    ),
  )
  expect(table(columns, rows, { ...plain, width: 20 })).toBe(
    ['ID   TEXT          N', 'id   a rather …    7', 'id2  short       123'].join('\n'),
  )
  const [id, text, n] = columns
  const optional = [id!, { ...text!, optional: true }, n!]
  expect(table(optional, rows, { ...plain, width: 20 })).toContain('a rather …')
  expect(table(optional, rows, { ...plain, width: 19 })).toBe(['ID     N', 'id     7', 'id2  123'].join('\n'))
})
