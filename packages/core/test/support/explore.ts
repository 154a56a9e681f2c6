/** What one step of a model leads to. */
export interface Step<State> {
  /** What happens: `claimJobs commits`, say. */
  readonly name: string
  readonly state: State
  /** Whether it is a fault or a whim: nothing that has to end well may count on it, and their number is limited. */
  readonly isFault: boolean
}

/** A system whose every behaviour is to be looked at. */
export interface Model<State> {
  readonly initial: State
  /** Everything that may happen next. Must change nothing in the state it is given. */
  readonly steps: (state: State) => Iterable<Step<State>>
  /** The same text for the same state, and only for it. */
  readonly key: (state: State) => string
  /** What is wrong with a state, if anything. */
  readonly violation: (state: State) => string | undefined
  /** Whether everything has come to its end. From every state one of these must be within reach without another fault. */
  readonly isDone: (state: State) => boolean
}

/** What an exploration found. */
export interface Exploration {
  readonly states: number
  readonly steps: number
  /** How often each kind of step was taken: a model whose faults never happen proves nothing. */
  readonly taken: ReadonlyMap<string, number>
  /** What was violated first, and the shortest way there. */
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | undefined
}

/** Walks through every reachable state, breadth first, so that the way to the first violation is a shortest one. */
export function explore<State>(model: Model<State>): Exploration {
  const walk = new Walk(model)
  const wrong = walk.run()
  const { states, steps, taken } = walk
  const stuck = wrong === undefined ? walk.findStuck() : undefined
  const violation =
    wrong ?? (stuck === undefined ? undefined : { what: 'stuck for ever', trace: walk.traceTo(stuck) })
  return { states, steps, taken, violation }
}

class Walk<State> {
  steps = 0
  readonly taken = new Map<string, number>()
  readonly #model: Model<State>
  readonly #numbers = new Map<string, number>()
  readonly #parents: number[] = []
  readonly #names: string[] = []
  /** Pairs of states, from and to, that a step without a fault leads between. */
  readonly #edges: number[] = []
  readonly #done: number[] = []

  constructor(model: Model<State>) {
    this.#model = model
  }

  get states(): number {
    return this.#numbers.size
  }

  run(): Exploration['violation'] {
    const { initial, steps, violation, isDone } = this.#model
    let level: [number, State][] = []
    this.#number(initial, -1, 'start', level)
    while (level.length > 0) {
      const next: [number, State][] = []
      for (const [number, state] of level) {
        const what = violation(state)
        if (what !== undefined) return { what, trace: this.traceTo(number) }
        if (isDone(state)) this.#done.push(number)
        for (const step of steps(state)) {
          this.steps++
          this.taken.set(step.name, (this.taken.get(step.name) ?? 0) + 1)
          const target = this.#number(step.state, number, step.name, next)
          if (!step.isFault) this.#edges.push(number, target)
        }
      }
      level = next
    }
    return undefined
  }

  /** The first state from which no way without faults leads to an end. */
  findStuck(): number | undefined {
    const sources = this.#sources()
    const isFine = new Uint8Array(this.states)
    const open = [...this.#done]
    for (const number of open) isFine[number] = 1
    for (let number = open.pop(); number !== undefined; number = open.pop()) {
      for (let i = sources.first[number] as number; i < (sources.first[number + 1] as number); i++) {
        const from = sources.list[i] as number
        if (isFine[from] === 1) continue
        isFine[from] = 1
        open.push(from)
      }
    }
    const stuck = isFine.indexOf(0)
    return stuck < 0 ? undefined : stuck
  }

  traceTo(number: number): string[] {
    const trace: string[] = []
    for (let at = number; at > 0; at = this.#parents[at] as number) trace.unshift(this.#names[at] as string)
    return trace
  }

  #number(state: State, parent: number, name: string, level: [number, State][]): number {
    const key = this.#model.key(state)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = this.states
    this.#numbers.set(key, number)
    this.#parents.push(parent)
    this.#names.push(name)
    level.push([number, state])
    return number
  }

  /** The edges by their targets: those to state n come from `list[first[n]]` … `list[first[n + 1] - 1]`. */
  #sources(): { first: Int32Array; list: Int32Array } {
    const first = new Int32Array(this.states + 2)
    for (let i = 1; i < this.#edges.length; i += 2) first[(this.#edges[i] as number) + 2]!++
    for (let n = 1; n < first.length; n++) first[n]! += first[n - 1]!
    const list = new Int32Array(this.#edges.length / 2)
    for (let i = 1; i < this.#edges.length; i += 2)
      list[first[(this.#edges[i] as number) + 1]!++] = this.#edges[i - 1] as number
    return { first, list }
  }
}
