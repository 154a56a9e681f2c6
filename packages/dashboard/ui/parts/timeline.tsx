import type { JSX } from 'preact'
import type { WireJob } from '../../src/wire.ts'
import { instant, span } from '../format.ts'
import { statusLabel } from './status.tsx'
import { When } from './when.tsx'

interface Step {
  readonly title: string
  readonly at: number
  readonly tone: 'quiet' | 'bad' | 'good' | 'accent'
}

/** What happened to a job, in its order. Of earlier attempts the database keeps the errors only. */
export function Timeline({ job }: { readonly job: WireJob }): JSX.Element {
  const steps = stepsOf(job)
  return (
    <ol class="timeline">
      {steps.map((step, index) => {
        const before = steps[index - 1]
        const after = before ? step.at - before.at : 0
        return (
          <li key={`${step.title}${index}`} class={`step step-${step.tone}`}>
            <span class="step-title">{step.title}</span>
            <span class="faint">
              <time dateTime={new Date(step.at).toISOString()}>{instant(step.at)}</time>
              {' · '}
              {after >= 1 && step.at <= Date.now() ? `after ${span(after)}` : <When at={step.at} />}
            </span>
          </li>
        )
      })}
    </ol>
  )
}

function stepsOf(job: WireJob): Step[] {
  const steps: Step[] = [{ title: 'Created', at: job.createdAt, tone: 'quiet' }]
  for (const { attempt, at, name } of job.errors)
    if (at !== null) steps.push({ title: `Attempt ${attempt} failed: ${name}`, at, tone: 'bad' })
  const isStarted = job.startedAt !== null && ['processing', 'completed'].includes(job.status)
  if (isStarted && job.startedAt !== null)
    steps.push({ title: `Attempt ${job.attempts} started`, at: job.startedAt, tone: 'accent' })
  if (['pending', 'failed'].includes(job.status) && job.scheduledFor > job.createdAt)
    steps.push({
      title: job.scheduledFor > Date.now() ? 'Due' : 'Became due',
      at: job.scheduledFor,
      tone: 'accent',
    })
  if (job.completedAt !== null)
    steps.push({
      title: statusLabel(job.status),
      at: job.completedAt,
      tone: job.status === 'completed' ? 'good' : 'bad',
    })
  return steps.toSorted((a, b) => a.at - b.at)
}
