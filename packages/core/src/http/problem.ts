/** The body of an error, as RFC 9457 has it: `application/problem+json`. */
export interface Problem {
  /** Which kind of problem it is: `urn:problem-type:pgq:…`, or `about:blank` when the status says it all. */
  readonly type: string
  /** The same for every problem of this type. */
  readonly title: string
  /** The status of the response. */
  readonly status: number
  /** What happened this time, and what to do. */
  readonly detail?: string
  /** What is wrong with the payload, place by place. */
  readonly errors?: readonly ProblemIssue[]
  /** What else a type says. */
  readonly [extension: string]: unknown
}

/** One thing that is wrong with a payload. */
export interface ProblemIssue {
  /** A JSON pointer into the payload, as a fragment: `#/items/3/price`, and `#` for the whole. */
  readonly pointer: string
  readonly detail: string
}

/** The URI of one of our problem types. */
export function problemType(name: string): string {
  return `urn:problem-type:pgq:${name}`
}
