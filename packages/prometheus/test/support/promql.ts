import type { SyntaxNodeRef } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'

/** What a query names. */
export interface Named {
  readonly metrics: readonly string[]
  readonly labels: readonly string[]
  /** The values that are asked for, by label: each alternative of a pattern. */
  readonly values: readonly (readonly [label: string, value: string])[]
}

/** Reads a query with Prometheus's own grammar. Throws where it makes no sense of it. */
export function namesIn(query: string): Named {
  // What Grafana puts in.
  const text = query.replaceAll('$__rate_interval', '5m').replaceAll('$queue', '.*')
  const metrics: string[] = []
  const labels: string[] = []
  const values: (readonly [string, string])[] = []
  const textOf = (node: { from: number; to: number }): string => text.slice(node.from, node.to)
  parser.parse(text).iterate({
    enter: (ref: SyntaxNodeRef) => {
      if (ref.type.isError) throw new Error(`at ${ref.from} it is no PromQL: ${text}`)
      if (ref.name === 'VectorSelector') {
        const name = ref.node.getChild('Identifier')
        if (name) metrics.push(textOf(name))
      }
      if (ref.name === 'LabelName') labels.push(textOf(ref))
      if (ref.name === 'UnquotedLabelMatcher') {
        const label = ref.node.getChild('LabelName')
        const value = ref.node.getChild('StringLiteral')
        if (label && value)
          for (const one of textOf(value).slice(1, -1).split('|')) values.push([textOf(label), one])
      }
    },
  })
  return { metrics, labels, values }
}
