import { existsSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { holdServer } from './holder.ts'
import { query } from './query.ts'

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test.concurrent(`${signal} to the process that holds a server leaves no server and no directory`, async () => {
    const holder = await holdServer()
    await query(holder.url, 'SELECT 1')
    holder.process.kill(signal)
    await eventually('postmaster.pid is gone', () => !existsSync(path.join(holder.dataDir, 'postmaster.pid')))
    await eventually('the directory is gone', () => !existsSync(path.dirname(holder.dataDir)))
    await expect(query(holder.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED')
  })
}

test('a program that stops its server ends by itself, and leaves nothing', async () => {
  const holder = await holdServer()
  expect(await holder.release()).toBe(0)
  expect(existsSync(path.dirname(holder.dataDir))).toBe(false)
})
