/** What a job carries. `n` is its number in the turn, by which the benchmark sees that each of them was handled. */
export interface BenchPayload {
  readonly n: number
  readonly orderId: string
  /** Random text that makes the payload as large as the scenario wants it. */
  readonly filler?: string
}

/** How jobs are enqueued, where a scenario asks for more than the default. */
export interface EnqueueSettings {
  /** 1 is the most urgent, 5 the least. @default none */
  readonly priority?: number
  /** Whether a job whose handler throws has failed for good at once. @default the product's own retries */
  readonly once?: boolean
  /** Whose job it is, for those that serve tenants in turns. @default nobody's */
  readonly tenant?: string
  /** Gives each job a key that no other may have meanwhile. @default none has one */
  readonly keyed?: boolean
}

/** How queues are made, where a scenario asks for more than the default. */
export interface SetUpSettings {
  /** How many jobs of each queue may run at once over all workers. @default as many as there are */
  readonly limit?: number
  /** How many of each tenant. @default as many as there are */
  readonly limitPerTenant?: number
  /** How many jobs of each queue may begin in a second. @default as many as there are */
  readonly rate?: number
}

/** What a worker has to do. */
export interface WorkOrder {
  readonly queues: readonly string[]
  /** How many handlers run at once. @default the settings of the roster */
  readonly handlers?: number
  readonly handle: (payload: BenchPayload) => void | Promise<void>
  /** Called once for each attempt that has ended, as late as the product tells of it. */
  readonly onEnded: () => void
  /** Called when work has come in, by who runs no handlers. */
  readonly onBegun: () => void
}

/** Jobs that only lie there. */
export interface Ballast {
  readonly completed: number
  readonly delayed: number
}

/** What is in a contestant's tables, read on a connection of its own. */
export interface Counts {
  /** All jobs that were ever added. */
  readonly added: number
  /** Waiting, delayed or running. */
  readonly live: number
  readonly failed: number
  /** `undefined` if the configuration keeps no history. */
  readonly completed: number | undefined
}

/** One product, in the process that uses it. Everything else in the benchmark is the same for all of them. */
export interface Contestant {
  /** True for what only moves rows: it is believed what the tables say, for want of handlers that could tell. @default false */
  readonly isBare?: boolean
  /** Makes the tables and queues in an empty store. */
  setUp(queues: readonly string[], settings?: SetUpSettings): Promise<void>
  enqueueMany(queue: string, payloads: readonly BenchPayload[], settings?: EnqueueSettings): Promise<unknown>
  enqueue(queue: string, payload: BenchPayload, settings?: Pick<EnqueueSettings, 'tenant'>): Promise<unknown>
  /** Puts jobs into a queue that no worker will touch: some that are done, where history is kept, and some that are not due. */
  addBallast(queue: string, ballast: Ballast): Promise<unknown>
  /** Starts a worker; the answer stops it. */
  startWorker(order: WorkOrder): Promise<() => Promise<unknown>>
  counts(queues: readonly string[]): Promise<Counts>
  /** How many connections are open to the store besides the one that asks. */
  connections(): Promise<number>
  close(): Promise<void>
}

/** Makes a contestant on the store at this address: a database of its own, or the Redis server. */
export type OpenContestant = (url: string) => Contestant
