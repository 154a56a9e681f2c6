import type { JSX } from 'preact'
import type { WireJobSummary } from '../../src/wire.ts'
import { shortId } from '../format.ts'
import { jobPath, Link, queuePath } from '../router.tsx'
import { session } from '../session.ts'
import { Status } from './status.tsx'
import { When } from './when.tsx'

/** Jobs, one a row. */
export function JobTable({
  jobs,
  picked,
  onPick,
}: {
  readonly jobs: readonly WireJobSummary[]
  readonly picked: ReadonlySet<string>
  readonly onPick: (picked: ReadonlySet<string>) => void
}): JSX.Element {
  const toggle = (id: string): void => {
    const next = new Set(picked)
    if (!next.delete(id)) next.add(id)
    onPick(next)
  }
  const isAll = jobs.every(({ id }) => picked.has(id))
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            {session.canWrite && (
              <th scope="col" class="check">
                <input
                  type="checkbox"
                  aria-label="Select all on this page"
                  checked={isAll}
                  onChange={() => onPick(new Set(isAll ? [] : jobs.map(({ id }) => id)))}
                />
              </th>
            )}
            <th scope="col">Job</th>
            <th scope="col">Status</th>
            <th scope="col" class="wide">
              Queue
            </th>
            <th scope="col" class="wide">
              Payload or error
            </th>
            <th scope="col" class="num wide">
              Attempts
            </th>
            <th scope="col" class="num">
              Created
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.id} aria-selected={picked.has(job.id)}>
              {session.canWrite && (
                <td class="check">
                  <input
                    type="checkbox"
                    aria-label={`Select job ${job.id}`}
                    checked={picked.has(job.id)}
                    onChange={() => toggle(job.id)}
                  />
                </td>
              )}
              <th scope="row">
                <Link to={jobPath(job.id)} class="id" title={job.id}>
                  {shortId(job.id)}
                </Link>
                <span class="narrow faint block">{job.queue}</span>
              </th>
              <td>
                <Status of={job.status} />
              </td>
              <td class="wide">
                <Link to={queuePath(job.queue)}>{job.queue}</Link>
              </td>
              <td class="wide excerpt">
                {job.error && job.status !== 'completed' ? (
                  <span class="tone-bad">{job.error}</span>
                ) : (
                  <code>{job.payload}</code>
                )}
              </td>
              <td class="num wide">
                {job.attempts}
                <span class="faint">/{job.maxAttempts}</span>
              </td>
              <td class="num">
                <When at={job.createdAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
