import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { session } from '../session.ts'

/** The head of a page. It takes the focus when the page is opened, so that a screen reader says where one is. */
export function PageHead({
  title,
  children,
  eyebrow,
}: {
  readonly title: string
  readonly eyebrow?: ComponentChildren
  readonly children?: ComponentChildren
}): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · ${session.title}`
    heading.current?.focus({ preventScroll: true })
  }, [title])
  return (
    <header class="page-head">
      <div>
        {eyebrow && <div class="eyebrow">{eyebrow}</div>}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
      </div>
      {children && <div class="row">{children}</div>}
    </header>
  )
}

/** One figure. */
export function Figure({
  label,
  value,
  hint,
  tone,
}: {
  readonly label: string
  readonly value: ComponentChildren
  readonly hint?: ComponentChildren
  readonly tone?: 'bad' | 'warn' | undefined
}): JSX.Element {
  return (
    <div class="figure">
      <dt>{label}</dt>
      <dd class={tone ? `tone-${tone}` : ''}>{value}</dd>
      {hint && <dd class="hint">{hint}</dd>}
    </div>
  )
}

/** A box with a heading. */
export function Card({
  title,
  aside,
  children,
  flush = false,
}: {
  readonly title: ComponentChildren
  readonly aside?: ComponentChildren
  readonly children: ComponentChildren
  /** Whether what is in it reaches to its edges. */
  readonly flush?: boolean
}): JSX.Element {
  return (
    <section class={flush ? 'card flush' : 'card'}>
      <div class="card-head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  )
}

/** Says that there is nothing, and why that is fine. */
export function Empty({
  title,
  children,
}: {
  readonly title: string
  readonly children?: ComponentChildren
}): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  )
}

/** What went wrong, in place of what was asked for. */
export function Trouble({ text }: { readonly text: string }): JSX.Element {
  return (
    <p class="trouble" role="alert">
      {text}
    </p>
  )
}

/** One of a few. */
export function Choice<Value extends string>({
  label,
  options,
  value,
  onChange,
}: {
  readonly label: string
  readonly options: readonly (readonly [Value, string])[]
  readonly value: Value
  readonly onChange: (value: Value) => void
}): JSX.Element {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([option, text]) => (
        <button key={option} type="button" aria-pressed={option === value} onClick={() => onChange(option)}>
          {text}
        </button>
      ))}
    </div>
  )
}
