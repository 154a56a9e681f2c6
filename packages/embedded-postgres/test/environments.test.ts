import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type CheckoutOptions, makeCheckout } from './checkout.ts'
import { type HolderOptions, holdServer } from './holder.ts'
import { query } from './query.ts'

const nobody = 65_534

/** Starts a server from a copy made in some way, and gives what was left in the temporary directory after it. */
async function tryOut(
  copy: CheckoutOptions,
  user: Pick<HolderOptions, 'uid'> = {},
): Promise<readonly string[]> {
  const checkout = makeCheckout(copy)
  const { directory, temporary } = checkout
  try {
    const holder = await holdServer({
      ...user,
      checkout: directory,
      env: { HOME: temporary, TMPDIR: temporary },
    })
    const [row] = await query(holder.url, `SELECT current_setting('server_encoding') AS encoding`)
    expect(row).toEqual({ encoding: 'UTF8' })
    expect(await holder.release()).toBe(0)
    return readdirSync(temporary)
  } finally {
    checkout.remove()
  }
}

test('a fresh install with blocked scripts and no locale is run in place', async () => {
  expect(await tryOut({})).toEqual([])
})

describe.skipIf(process.getuid?.() !== 0)('where the tests run as root', () => {
  test('the checkout of root in a locked home is run from a copy', async () => {
    expect(await tryOut({ homeMode: 0o700 })).toEqual(['pgq-postgres-18.4.0-beta.17-0'])
  })

  test('an unprivileged user runs a checkout of their own in place', async () => {
    expect(await tryOut({ owner: nobody, homeMode: 0o700 }, { uid: nobody })).toEqual([])
  })

  test('an unprivileged user runs a checkout that they cannot write from a copy', async () => {
    expect(await tryOut({}, { uid: nobody })).toEqual([`pgq-postgres-18.4.0-beta.17-${nobody}`])
  })
})
