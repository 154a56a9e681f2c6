import type { JSX } from 'preact'
import type { WireDone, WireQueue } from '../../src/wire.ts'
import { post } from '../api.ts'
import { confirmThen, doNow } from './confirm.tsx'
import { Icon } from './icons.tsx'

/** Pauses a queue after a question, resumes it without one. */
export function PauseButton({ queue }: { readonly queue: WireQueue }): JSX.Element {
  const { queue: name, pausedAt } = queue
  const change = async (verb: 'pause' | 'resume'): Promise<string> => {
    await post<WireDone>(`queues/${verb}`, { name })
    return verb === 'pause' ? `${name} is paused.` : `${name} goes on.`
  }
  const onClick = (): void => {
    if (pausedAt !== null) return void doNow(() => change('resume'))
    confirmThen({
      title: `Pause ${name}?`,
      text: 'No worker takes jobs of it until it is resumed. Those that run go on.',
      verb: 'Pause',
      run: () => change('pause'),
    })
  }
  const verb = pausedAt === null ? 'Pause' : 'Resume'
  return (
    <button type="button" class="button small" onClick={onClick} aria-label={`${verb} ${name}`}>
      <Icon name={pausedAt === null ? 'pause' : 'play'} />
      {verb}
    </button>
  )
}
