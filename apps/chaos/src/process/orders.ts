/** What a client's process is started with. */
export interface ClientOptions {
  readonly name: string
  /** The database, through the process's own proxy. */
  readonly url: string
  readonly core: string | undefined
  /** The directory of the logs. */
  readonly logs: string
  readonly seed: number
  readonly leaseMs: number
  /** How far the clock of the process is off, in ms. */
  readonly skewMs: number
  /** How many enqueues a producer makes in a second. */
  readonly pace: number
}

/** What a running one is told. */
export type Order =
  | { readonly do: 'block'; readonly ms: number }
  | { readonly do: 'skew'; readonly ms: number }
  /** For producers: enqueue no more, and end. */
  | { readonly do: 'finish' }

/** What it answers when it has done so. */
export type Answer = { readonly did: Order['do'] | 'ready' }
