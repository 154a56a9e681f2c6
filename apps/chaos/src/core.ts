import type * as core from '@pgq/core'

/** The package under test: the one that is installed, or a copy of it that was broken on purpose. */
export type Core = typeof core

/** Loads the package under test. `entry` is the URL of another copy of it. */
export async function loadCore(entry: string | undefined): Promise<Core> {
  return (await import(entry ?? '@pgq/core')) as Core
}
