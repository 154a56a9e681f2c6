import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Filter } from '../job-actions.ts'
import { Icon } from './icons.tsx'
import { session } from '../session.ts'
import { Choice } from './page-parts.tsx'

const STATUSES = [
  ['', 'All'],
  ['pending,failed', 'Waiting'],
  ['processing', 'Running'],
  ['failed', 'Retrying'],
  ['completed', 'Completed'],
  ['dead', 'Dead'],
  ['cancelled', 'Cancelled'],
] as const

/** On a phone these are shown when somebody asks for them. */
const NAMES_IN_FOLD = ['error', 'queue', 'after', 'before']

/** What to look for. It is the address, so it can be sent to somebody. */
export function JobFilters({
  filter,
  queues,
  onChange,
}: {
  readonly filter: Filter
  readonly queues: readonly string[]
  readonly onChange: (filter: Filter) => void
}): JSX.Element {
  const [text, setText] = useState(filter)
  const address = JSON.stringify(filter)
  useEffect(() => setText(filter), [address])
  const [isFolded, setFolded] = useState(!NAMES_IN_FOLD.some((name) => filter[name]))
  const search = useRef<HTMLInputElement>(null)
  useSlashKey(search)
  const set = (name: string, value: string): void =>
    setText((old) => ({ ...old, [name]: value || undefined }))
  const apply = (changed: Filter = text): void => onChange(changed)
  const isFiltered = Object.values(filter).some(Boolean)
  return (
    <form
      class="filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        apply()
      }}
    >
      <Choice
        label="Status"
        options={STATUSES}
        value={(filter['status'] ?? '') as (typeof STATUSES)[number][0]}
        onChange={(status) => apply({ ...text, status: status || undefined })}
      />
      <div class={isFolded ? 'fields folded' : 'fields'}>
        {session.maySearch && (
          <>
            <Field name="payload" label="Payload">
              <span class="with-icon">
                <Icon name="search" />
                <input
                  ref={search}
                  type="search"
                  value={text['payload'] ?? ''}
                  placeholder={'customer:ada, {"n": 1} or any text'}
                  onInput={(event) => set('payload', event.currentTarget.value)}
                />
              </span>
            </Field>
            <Field name="error" label="Error">
              <input
                type="search"
                value={text['error'] ?? ''}
                placeholder="part of the message"
                onInput={(event) => set('error', event.currentTarget.value)}
              />
            </Field>
          </>
        )}
        <Field name="queue" label="Queue">
          <input
            type="search"
            list="queues"
            value={text['queue'] ?? ''}
            placeholder="any"
            onInput={(event) => set('queue', event.currentTarget.value)}
          />
          <datalist id="queues">
            {queues.map((queue) => (
              <option key={queue} value={queue} />
            ))}
          </datalist>
        </Field>
        <div class="row field-submit">
          <button type="submit" class="button primary">
            Search
          </button>
          {isFiltered && (
            <button type="button" class="button" onClick={() => onChange({})}>
              Clear
            </button>
          )}
          <button
            type="button"
            class="button unfold"
            aria-expanded={!isFolded}
            onClick={() => setFolded(!isFolded)}
          >
            {isFolded ? 'More filters' : 'Fewer filters'}
          </button>
        </div>
      </div>
      <div class={isFolded ? 'times folded' : 'times'}>
        <Field name="time" label="Created after">
          <Moment value={text['after']} onChange={(at) => set('after', at)} />
        </Field>
        <Field name="time" label="Created before">
          <Moment value={text['before']} onChange={(at) => set('before', at)} />
        </Field>
      </div>
    </form>
  )
}

function Field({
  name,
  label,
  children,
}: {
  readonly name: string
  readonly label: string
  readonly children: ComponentChildren
}): JSX.Element {
  return (
    <label class={`field field-${name}`}>
      <span>{label}</span>
      {children}
    </label>
  )
}

/** A moment in the time zone of whoever looks; the address holds it in UTC. */
function Moment({
  value,
  onChange,
}: {
  readonly value: string | undefined
  readonly onChange: (iso: string) => void
}): JSX.Element {
  return (
    <input
      type="datetime-local"
      value={localText(value)}
      onInput={(event) => {
        const at = new Date(event.currentTarget.value)
        onChange(Number.isNaN(at.getTime()) ? '' : at.toISOString())
      }}
    />
  )
}

function localText(iso: string | undefined): string {
  const at = new Date(iso ?? '')
  if (Number.isNaN(at.getTime())) return ''
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

/** A slash begins a search, as in many places. */
function useSlashKey(input: { readonly current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping =
        event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey) return
      event.preventDefault()
      input.current?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
}
