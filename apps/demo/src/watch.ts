import { setTimeout as sleep } from 'node:timers/promises'
import type { Crash } from './crash.ts'
import { finished, type Progress } from './progress.ts'
import type { Screen } from './screen.ts'

/** How often the queue is looked at, in ms. */
const EVERY_MS = 100
/** When nothing has changed for so long something is broken, in ms. */
const PATIENCE_MS = 30_000

/** Follows a run to its end, and kills a worker when half of the webhooks are done with. */
export async function watch(deps: {
  readonly read: () => Promise<Progress>
  readonly crash: Crash
  readonly screen: Screen
  readonly signal: AbortSignal
}): Promise<void> {
  const { read, crash, screen, signal } = deps
  const assertMoving = stallAlarm()
  for (;;) {
    const progress = await read()
    screen.show(progress)
    if (isHalfWay(progress) && !crash.happened && (await crash.strike())) screen.say(crash.describe(), 'bad')
    if (await crash.look()) screen.say(crash.describeRescue(), 'good')
    if (isOver(progress)) return
    assertMoving(progress)
    await sleep(EVERY_MS)
    signal.throwIfAborted()
  }
}

function isHalfWay(progress: Progress): boolean {
  return finished(progress) + progress.rolledBack >= progress.webhooks / 2
}

function isOver(progress: Progress): boolean {
  return finished(progress) + progress.rolledBack === progress.webhooks
}

/** Returns a function that throws when it has been given the same progress for too long. */
function stallAlarm(): (progress: Progress) => void {
  let last = ''
  let changedMs = 0
  return (progress) => {
    const now = JSON.stringify(progress)
    if (now !== last) changedMs = performance.now()
    last = now
    if (performance.now() - changedMs > PATIENCE_MS)
      throw new Error(`nothing has happened for ${PATIENCE_MS / 1_000} s: ${now}`)
  }
}
