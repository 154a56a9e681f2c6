import type { Browser } from 'playwright-core'

/** The Chromium of this machine, or the one that CHROMIUM names; undefined when there is none. */
export function findChromium(): string | undefined
/** Starts it without a window and without a past. */
export function launchChromium(executablePath: string): Promise<Browser>
