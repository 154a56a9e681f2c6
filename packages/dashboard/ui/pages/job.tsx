import type { JSX } from 'preact'
import type { WireAttempt, WireJob, WireJobView, WireReason } from '../../src/wire.ts'
import { useAsked } from '../api.ts'
import { instant, number, shortId, span } from '../format.ts'
import { actOnJobs, JOB_ACTIONS, type JobAction } from '../job-actions.ts'
import { useJobChanges } from '../live.ts'
import { CodeBlock } from '../parts/code-block.tsx'
import { Card, PageHead, Trouble } from '../parts/page-parts.tsx'
import { Status } from '../parts/status.tsx'
import { Timeline } from '../parts/timeline.tsx'
import { useNow, When } from '../parts/when.tsx'
import { go, jobPath, jobsPath, Link, queuePath } from '../router.tsx'
import { session } from '../session.ts'

/** One job, and everything that is known of it. */
export function JobPage({ id }: { readonly id: string }): JSX.Element {
  const { data, error, refresh } = useAsked<WireJobView>(`jobs/${encodeURIComponent(id)}`, 5_000)
  useJobChanges(refresh)
  if (!data)
    return (
      <>
        <PageHead title="Job" eyebrow={<Link to="jobs">Jobs</Link>} />
        {error ? <Trouble text={error} /> : <p class="faint">Loading…</p>}
      </>
    )
  const { job, reasons } = data
  return (
    <>
      <PageHead
        title={shortId(job.id)}
        eyebrow={
          <>
            <Link to="jobs">Jobs</Link> / <Link to={queuePath(job.queue)}>{job.queue}</Link>
          </>
        }
      >
        {session.canWrite && <Actions job={job} onDone={refresh} />}
      </PageHead>
      {error && <Trouble text={error} />}
      <Facts job={job} />
      <Reasons job={job} reasons={reasons} />
      <div class="columns">
        <div class="column">
          <Card title="Payload">
            <CodeBlock label="Payload" text={job.payloadJson} />
          </Card>
          {job.resultJson !== null && (
            <Card title="Result">
              <CodeBlock label="Result" text={job.resultJson} />
            </Card>
          )}
          {job.progressJson !== null && (
            <Card title="Progress">
              <Progress text={job.progressJson} />
            </Card>
          )}
          <Attempts job={job} />
        </div>
        <div class="column">
          <Card title="Timeline">
            <Timeline job={job} />
          </Card>
          {job.metadataJson !== null && (
            <Card title="Metadata">
              <CodeBlock label="Metadata" text={job.metadataJson} />
            </Card>
          )}
        </div>
      </div>
    </>
  )
}

function Actions({ job, onDone }: { readonly job: WireJob; readonly onDone: () => void }): JSX.Element {
  const possible = (Object.keys(JOB_ACTIONS) as JobAction[]).filter(
    // To a single dead job a redrive is a retry.
    (action) =>
      action !== 'redrive' && (JOB_ACTIONS[action].statuses as readonly string[]).includes(job.status),
  )
  return (
    <>
      {possible.map((action) => (
        <button
          key={action}
          type="button"
          class={
            action === 'retry' ? 'button primary' : action === 'delete' ? 'button quiet-danger' : 'button'
          }
          onClick={() => actOnJobs(action, [job.id], action === 'delete' ? () => go('jobs') : onDone)}
        >
          {JOB_ACTIONS[action].verb}
        </button>
      ))}
    </>
  )
}

function Facts({ job }: { readonly job: WireJob }): JSX.Element {
  const now = useNow(1_000)
  const ran = job.startedAt === null ? null : (job.completedAt ?? now) - job.startedAt
  return (
    <dl class="facts">
      <div>
        <dt>Status</dt>
        <dd>
          <Status of={job.status} />
        </dd>
      </div>
      <div>
        <dt>Attempts</dt>
        <dd>
          {job.attempts} of {job.maxAttempts}
        </dd>
      </div>
      {ran !== null && ['processing', 'completed'].includes(job.status) && (
        <div>
          <dt>{job.status === 'processing' ? 'Running for' : 'Ran for'}</dt>
          <dd>{span(Math.max(0, ran))}</dd>
        </div>
      )}
      <div>
        <dt>Priority</dt>
        <dd>{number(job.priority)}</dd>
      </div>
      {job.group !== null && (
        <div>
          <dt>Group</dt>
          <dd>{job.group}</dd>
        </div>
      )}
      {job.uniqueKey !== null && (
        <div>
          <dt>Unique key</dt>
          <dd>{job.uniqueKey}</dd>
        </div>
      )}
      <div class="fact-id">
        <dt>Id</dt>
        <dd>
          <code>{job.id}</code>
        </dd>
      </div>
    </dl>
  )
}

function Reasons({
  job,
  reasons,
}: {
  readonly job: WireJob
  readonly reasons: readonly WireReason[]
}): JSX.Element | null {
  if (reasons.length === 0) return null
  return (
    <section class="callout">
      <h2>{job.status === 'processing' ? 'Where it runs' : 'Why it is not running'}</h2>
      <ul>
        {reasons.map((reason) => (
          <li key={reason.code + reason.message}>
            {sentence(reason)}
            {reason.until !== null && (
              <span class="faint">
                {' '}
                (<When at={reason.until} />)
              </span>
            )}
            {reason.heldBy.map((id) => (
              <span key={id}>
                {' '}
                <Link to={jobPath(id)} class="id">
                  {shortId(id)}
                </Link>
              </span>
            ))}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** As PostgreSQL writes it in UTC. */
const DATABASE_TIME = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?\+00/g

/** The time is told as a moment of its own. */
function sentence({ code, message, until }: WireReason): string {
  if (code === 'not_due' && until !== null) return 'It is not due yet'
  const text = message.replace(DATABASE_TIME, (found) =>
    instant(Date.parse(`${found.slice(0, 19).replace(' ', 'T')}Z`)),
  )
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function Progress({ text }: { readonly text: string }): JSX.Element {
  const value = Number(text)
  const share = value > 1 ? value / 100 : value
  if (Number.isNaN(share) || share < 0 || share > 1) return <CodeBlock label="Progress" text={text} />
  return (
    <div class="row">
      <progress value={share} max={1} aria-label="Progress" />
      <span>{Math.round(share * 100)}%</span>
    </div>
  )
}

function Attempts({ job }: { readonly job: WireJob }): JSX.Element | null {
  if (job.errors.length === 0) return null
  const newest = job.errors.toReversed()
  return (
    <Card
      title="Errors"
      aside={
        job.error !== null && (
          <Link to={jobsPath({ queue: job.queue, error: job.error.slice(0, 200) })}>
            Others like the last
          </Link>
        )
      }
    >
      <ol class="attempts">
        {newest.map((attempt, index) => (
          <Attempt key={`${attempt.attempt}-${index}`} attempt={attempt} isOpen={index === 0} />
        ))}
      </ol>
    </Card>
  )
}

function Attempt({
  attempt,
  isOpen,
}: {
  readonly attempt: WireAttempt
  readonly isOpen: boolean
}): JSX.Element {
  const { stack } = attempt
  return (
    <li>
      <div class="attempt-head">
        <strong>Attempt {attempt.attempt}</strong>
        {attempt.at !== null && (
          <span class="faint" title={instant(attempt.at)}>
            <When at={attempt.at} />
          </span>
        )}
      </div>
      <p class="attempt-message">
        <span class="tone-bad">{attempt.name}</span> {attempt.message}
      </p>
      {stack !== null && (
        <details open={isOpen}>
          <summary>Stack</summary>
          <CodeBlock label={`Stack of attempt ${attempt.attempt}`} text={stack} />
        </details>
      )}
    </li>
  )
}
