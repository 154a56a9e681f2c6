import { expect, test } from 'vitest'
import { BenchFault } from '../src/fault.ts'
import { checkStint, fillQueue, workOff } from '../src/scenarios/turns.ts'
import { onStage, ours } from './stage.ts'

const JOBS = 20

test('work that was not done is found out, whatever the contestant says', async () => {
  await onStage({ entry: ours, jobs: JOBS }, async (stage) => {
    const before = await fillQueue(stage)
    expect(before).toEqual({ added: JOBS, live: JOBS, failed: 0, completed: 0 })

    const lie = checkStint(stage, before, { handled: JOBS })
    await expect(lie).rejects.toThrow(BenchFault)
    await expect(lie).rejects.toThrow('pgq did not do what it was asked to')
    await expect(checkStint(stage, before, { handled: JOBS - 1 })).rejects.toThrow('handled 19 of 20 jobs')

    const { value, figures } = await workOff(stage, before)
    expect(value).toBeGreaterThan(0)
    expect(figures['walBytesPerJob']).toBeGreaterThan(100)
    expect(figures['repeated']).toBe(0)
    await expect(
      checkStint(stage, before, { handled: JOBS }),
      'and what was done is accepted',
    ).resolves.toBeUndefined()
  })
})
