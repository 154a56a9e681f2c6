import type { Model, Step } from './explore.ts'

/*
 * The protocol of claim, settle and rescue, as a model: one job, two processes that work, the rescue, an operator, the wires
 * between them and the server, and everything that may go wrong. Steps are named after the statements in `src/sql`.
 *
 * A statement is one step on the server, as a row lock makes it, except where it looks at one row and writes another: then
 * anything may happen in between. It reaches the server when it likes, also when whoever sent it has long given up; its
 * answer may get lost. There is no time: a worker may be declared lost whenever it has not just been. That is more than can
 * happen, and none of the promises may rest on less.
 */

/** How the protocol works. Each rule can be broken, to see that the model notices. */
export interface Rules {
  /** What a settle compares. */
  readonly settleCompares: { readonly fence: boolean; readonly worker: boolean }
  /** What the fence is: a number of its own, or the number of the attempt, which is given back sometimes. */
  readonly fenceIs: 'its own' | 'the attempt'
  /** A claim needs the row of a worker that lives. */
  readonly claimAsksWorker: boolean
  /** The attempt is charged when it is claimed, not when it has failed. */
  readonly claimCharges: boolean
  /** The rescue looks at the row again that it locks. */
  readonly rescueRechecks: boolean
  /** A cancel raises the fence. */
  readonly cancelFences: boolean
  /** A worker that never got the answer to a claim looks for what it may have claimed. */
  readonly straysReleased: boolean
  /** It leaves alone what it knows that it has. */
  readonly straysKnow: boolean
  /** The row of a worker stays while jobs are in its name. */
  readonly rowOutlivesJobs: boolean
  /** Claims in the name of nobody are found. */
  readonly orphansAdopted: boolean
  /** What was accepted is told from the answer, rather than from there having been one. */
  readonly answerRead: boolean
  /** A settle whose answer was lost asks what became of it before it is called lost. */
  readonly outcomesAsked: boolean
  /** And compares the time at which the claim was made: a crash may have undone it, and then the next one has the same fence. */
  readonly outcomesKnowClaim: boolean
  /** An attempt whose COMMIT got no answer, and that is given back, asks whether it did go through. */
  readonly lateCommitTold: boolean
  /** The effects of a transactional handler commit together with the end of its job. */
  readonly effectsInTransaction: boolean
  /** A job leaves one table and comes into another in one statement. */
  readonly moveIsOneStatement: boolean
}

/** The rules that the package keeps. */
export const RULES: Rules = {
  settleCompares: { fence: true, worker: true },
  fenceIs: 'its own',
  claimAsksWorker: true,
  claimCharges: true,
  rescueRechecks: true,
  cancelFences: true,
  straysReleased: true,
  straysKnow: true,
  rowOutlivesJobs: true,
  orphansAdopted: true,
  answerRead: true,
  outcomesAsked: true,
  outcomesKnowClaim: true,
  lateCommitTold: true,
  effectsInTransaction: true,
  moveIsOneStatement: true,
}

const MAX_ATTEMPTS = 2

type Status = 'pending' | 'processing' | 'failed' | 'completed' | 'dead' | 'cancelled' | 'nowhere'
type Outcome = 'completed' | 'failed' | 'dead' | 'released' | 'transactional'

interface Job {
  status: Status
  attempts: number
  fence: number
  /** The worker in whose name it is; 0 for none. */
  holder: number
  /** Its last claim. What settles does not compare it: fences and workers stand for it. Its time is in `started_at`. */
  claim: number
  /** Claims less those given back, whatever `attempts` says. */
  spent: number
  lastError: 'none' | 'own' | 'lost'
  effects: number
}

interface Attempt {
  readonly claim: number
  readonly worker: number
  readonly fence: number
  readonly attempt: number
  outcome: Outcome | undefined
  /** What it does next, or waits for. */
  step: 'runs' | 'waits'
  /** Whether an answer to its settle may have been lost. */
  repeated: boolean
}

interface Process {
  /** The worker's id, new with each life; 0 while there is none. */
  id: number
  hand: Attempt[]
  /** A claim, or what replaces it, is under way. */
  busy: boolean
  /** A claim got no answer. */
  inDoubt: boolean
}

interface Request {
  readonly what: 'claimJobs' | 'settle' | 'commit' | 'releaseStrays' | 'removeWorker'
  /** The process that waits for the answer, or -1 when it has given up. */
  from: number
  readonly worker: number
  readonly settles?: Attempt
  readonly knows?: boolean
  stage: 'sent' | 'held' | 'done'
  /** A claim: what it got. A settle: whether it was accepted. */
  answer?: Attempt | boolean
}

interface Accepted {
  readonly claim: number
  readonly fence: number
  readonly worker: number
  readonly outcome: Outcome
}

export interface Protocol {
  job: Job
  /** The job before a claim that is not on disk yet. */
  undo: Job | undefined
  workers: ('alive' | 'lost' | 'gone')[]
  processes: Process[]
  wire: Request[]
  /** The fences whose outcome was accepted, as bits, and by whom. */
  acceptedFences: number
  accepted: Accepted[]
  /** What the rescue has read, if it writes later what it read earlier. */
  rescuePlan: { readonly attempts: number } | undefined
  claims: number
  faultsLeft: number
  wrong: string | undefined
}

/** The model under these rules, with every combination of so many faults. */
export function protocolModel(rules: Rules, faults: number): Model<Protocol> {
  const initial: Protocol = {
    job: {
      status: 'pending',
      attempts: 0,
      fence: 0,
      holder: 0,
      claim: 0,
      spent: 0,
      lastError: 'none',
      effects: 0,
    },
    undo: undefined,
    workers: ['alive', 'alive'],
    processes: [1, 2].map((id) => ({ id, hand: [], busy: false, inDoubt: false })),
    wire: [],
    acceptedFences: 0,
    accepted: [],
    rescuePlan: undefined,
    claims: 0,
    faultsLeft: faults,
    wrong: undefined,
  }
  return {
    initial,
    steps: (state) => new Steps(state, rules).all(),
    key,
    violation,
    isDone: ({ job, processes }) => isOver(job.status) && processes.every(({ hand }) => hand.length === 0),
  }
}

const isWaiting = (status: Status): boolean => status === 'pending' || status === 'failed'

const isOver = (status: Status): boolean =>
  status === 'completed' || status === 'dead' || status === 'cancelled'

function violation({ job, wrong }: Protocol): string | undefined {
  if (wrong !== undefined) return wrong
  if (job.status === 'nowhere') return 'the job is lost'
  if (job.attempts > MAX_ATTEMPTS) return 'more attempts than allowed'
  if (job.spent > MAX_ATTEMPTS) return 'more attempts were begun than allowed, and none was given back'
  if (job.effects > 1) return 'effects happened twice'
  return undefined
}

/** All that may happen next in one state. */
class Steps {
  readonly #from: Protocol
  readonly #rules: Rules
  readonly #steps: Step<Protocol>[] = []

  constructor(state: Protocol, rules: Rules) {
    this.#from = state
    this.#rules = rules
  }

  all(): Step<Protocol>[] {
    const { processes, wire } = this.#from
    for (const [p, process] of processes.entries()) {
      if (process.id === 0) this.#add('a process starts', (s) => start(s, p))
      else this.#processSteps(p, process)
    }
    for (const [r, request] of wire.entries()) this.#requestSteps(r, request)
    this.#rescueSteps()
    this.#operatorSteps()
    this.#serverSteps()
    // When nothing can change the job any more, what is left to tell is told in any one order.
    const isQuiet = isOver(this.#from.job.status) && this.#from.faultsLeft === 0 && !this.#from.rescuePlan
    return isQuiet ? this.#steps.filter(({ name }) => !name.endsWith('is sent')).slice(0, 1) : this.#steps
  }

  #add(name: string, change: (state: Protocol) => void): void {
    const state = copy(this.#from)
    change(state)
    this.#steps.push({ name, state, isFault: false })
  }

  #addFault(name: string, change: (state: Protocol) => void): void {
    if (this.#from.faultsLeft === 0) return
    const state = copy(this.#from)
    state.faultsLeft--
    change(state)
    this.#steps.push({ name, state, isFault: true })
  }

  #processSteps(p: number, process: Process): void {
    const { id, hand, busy, inDoubt } = process
    if (!busy) {
      // One that finds nothing does nothing; and one that is under way may still find what comes later.
      if (isWaiting(this.#from.job.status))
        this.#add('claimJobs is sent', (s) => this.#send(s, p, { what: 'claimJobs' }))
      if (inDoubt && this.#rules.straysReleased) {
        const knows = this.#rules.straysKnow && hand.length > 0
        this.#add('releaseStrays is sent', (s) => this.#send(s, p, { what: 'releaseStrays', knows }))
      }
      if (hand.length === 0) {
        this.#addFault('a worker stops, and removeWorker is sent', (s) => {
          this.#send(s, p, { what: 'removeWorker' })
          end(s, p)
        })
      }
    }
    if (this.#from.workers[id - 1] === 'lost') this.#add('a worker finds itself lost', (s) => startAnew(s, p))
    this.#addFault('a process is killed', (s) => end(s, p))
    for (const [h, attempt] of hand.entries()) this.#attemptSteps(p, h, attempt)
  }

  #send(state: Protocol, p: number, request: Pick<Request, 'what' | 'knows'>): void {
    const process = state.processes[p] as Process
    process.busy = true
    // What a statement only looks at, it sees as it was at the earliest: that is the worst for what it writes.
    const isAlive = state.workers[process.id - 1] === 'alive'
    const isFree = state.job.holder !== process.id || !this.#rules.rowOutlivesJobs
    const mayWrite =
      request.what === 'claimJobs'
        ? isAlive || !this.#rules.claimAsksWorker
        : request.what !== 'removeWorker' || isFree
    state.wire.push({ ...request, from: p, worker: process.id, stage: mayWrite ? 'sent' : 'done' })
  }

  #attemptSteps(p: number, h: number, attempt: Attempt): void {
    const change = (name: string, act: (mine: Attempt, s: Protocol) => void): void =>
      this.#add(name, (s) => act((s.processes[p] as Process).hand[h] as Attempt, s))
    if (attempt.step !== 'runs') return
    const failed: Outcome = attempt.attempt >= MAX_ATTEMPTS ? 'dead' : 'failed'
    for (const outcome of ['completed', failed, 'transactional'] as const)
      change(`a handler ends: ${outcome}`, (mine, s) => submit(s, p, mine, outcome))
    // Nobody gives back for ever.
    this.#addFault('a handler ends: released', (s) =>
      submit(s, p, (s.processes[p] as Process).hand[h] as Attempt, 'released'),
    )
    if (!isHeld(this.#from.job, attempt, this.#rules))
      change('a heartbeat finds a claim lost, and aborts', (mine, s) => this.#tellLost(s, p, mine))
  }

  /** What a worker does about a settle that found nothing: it asks lostClaims, and findOutcomes when an answer may have been lost. */
  #look(state: Protocol, p: number, attempt: Attempt): void {
    if (isHeld(state.job, attempt, this.#rules)) return submit(state, p, attempt, attempt.outcome as Outcome)
    const mayBeDone = attempt.repeated && this.#rules.outcomesAsked
    if (mayBeDone && isSettled(state.job, attempt, this.#rules)) tellAccepted(state, p, attempt)
    else this.#tellLost(state, p, attempt)
  }

  #tellLost(state: Protocol, p: number, attempt: Attempt): void {
    const mine = state.accepted.find(({ claim }) => claim === attempt.claim)
    if (mine && (mine.outcome === 'completed' || mine.outcome === 'transactional'))
      state.wrong = 'a completion that was accepted was told to be lost'
    drop(state, p, attempt)
  }

  #requestSteps(r: number, request: Request): void {
    const change = (name: string, act: (mine: Request, s: Protocol) => void): void =>
      this.#add(name, (s) => {
        const mine = s.wire[r] as Request
        act(mine, s)
        // Nobody waits for an answer.
        if (mine.from < 0 && mine.stage === 'done') s.wire.splice(s.wire.indexOf(mine), 1)
      })
    const isLocked = this.#isLocked(request)
    switch (request.what) {
      case 'claimJobs':
        if (request.stage === 'sent' && !isLocked)
          change('claimJobs commits', (mine, s) => this.#claim(mine, s))
        break
      case 'releaseStrays':
        if (request.stage === 'sent') change('releaseStrays commits', (mine, s) => this.#release(mine, s))
        break
      case 'removeWorker':
        if (request.stage === 'sent') {
          change('removeWorker commits', (mine, s) => {
            s.workers[mine.worker - 1] = 'gone'
            mine.stage = 'done'
          })
        }
        break
      case 'settle':
        if (request.stage === 'sent') change('settle commits', (mine, s) => this.#settle(mine, s))
        break
      case 'commit':
        this.#commitSteps(request, change)
    }
    if (request.from < 0) return
    if (request.stage === 'done') change('an answer comes', (_, s) => this.#deliver(s, r))
    this.#addFault('a connection breaks', (s) => this.#cut(s, r))
  }

  /** A transactional settle locks the row, and the COMMIT comes later, or never. */
  #commitSteps(
    request: Request,
    change: (name: string, act: (mine: Request, s: Protocol) => void) => void,
  ): void {
    const attempt = request.settles as Attempt
    if (request.stage === 'sent' && request.from >= 0) {
      change('settle runs in a transaction', (mine, s) => {
        if (!this.#rules.effectsInTransaction) s.job.effects++
        if (isHeld(s.job, attempt, this.#rules) && !this.#isLocked(mine)) mine.stage = 'held'
        else {
          mine.stage = 'done'
          mine.answer = false
        }
      })
    }
    if (request.stage !== 'held') return
    change('COMMIT arrives', (mine, s) => {
      if (this.#rules.effectsInTransaction) s.job.effects++
      this.#accept(s, attempt)
      mine.stage = 'done'
      mine.answer = true
    })
    if (request.from < 0) change('COMMIT never arrives', (mine) => void (mine.stage = 'done'))
  }

  /** Whether another request has the row of the job in an open transaction. */
  #isLocked(request: Request | undefined): boolean {
    return this.#from.wire.some((other) => other !== request && other.stage === 'held')
  }

  #claim(mine: Request, state: Protocol): void {
    const { job } = state
    mine.stage = 'done'
    if (!isWaiting(job.status)) return
    state.undo = { ...job }
    state.claims++
    Object.assign(job, { status: 'processing', holder: mine.worker, claim: state.claims })
    job.attempts += this.#rules.claimCharges ? 1 : 0
    job.spent++
    job.fence = this.#rules.fenceIs === 'its own' ? job.fence + 1 : job.attempts
    mine.answer = {
      claim: job.claim,
      worker: mine.worker,
      fence: job.fence,
      attempt: job.attempts,
      outcome: undefined,
      step: 'runs',
      repeated: false,
    }
  }

  #release(mine: Request, state: Protocol): void {
    const { job } = state
    mine.stage = 'done'
    if (job.status !== 'processing' || job.holder !== mine.worker || mine.knows || this.#isLocked(mine))
      return
    // A statement that comes late may give back what its worker has learnt to have since: that costs a run, and no promise.
    const holder = mine.from < 0 ? undefined : state.processes[mine.from]
    if (holder?.hand.some(({ claim }) => claim === job.claim))
      state.wrong = 'a claim was given back in its hand'
    this.#putBack(state, 'pending')
  }

  #putBack(state: Protocol, status: Status): void {
    const { job } = state
    job.status = status
    job.holder = 0
    if (status === 'pending') {
      job.attempts = Math.max(0, job.attempts - 1)
      job.spent--
    }
    if (this.#rules.fenceIs === 'its own') job.fence++
    flush(state)
  }

  #settle(mine: Request, state: Protocol): void {
    const attempt = mine.settles as Attempt
    mine.stage = 'done'
    mine.answer = isHeld(state.job, attempt, this.#rules) && !this.#isLocked(mine)
    if (mine.answer) this.#accept(state, attempt)
    // Where one statement deletes and another one inserts, the first may be the last one that comes.
    if (mine.answer && !this.#rules.moveIsOneStatement && mine.from < 0) state.job.status = 'nowhere'
  }

  #accept(state: Protocol, attempt: Attempt): void {
    const { job } = state
    const outcome = attempt.outcome as Outcome
    const isCurrent = job.claim === attempt.claim
    if (!isCurrent && (job.fence !== attempt.fence || job.holder !== attempt.worker))
      state.wrong = 'a claim was settled by somebody who had lost his'
    if (state.acceptedFences & (1 << attempt.fence)) state.wrong = 'two outcomes of one fence were accepted'
    state.acceptedFences |= 1 << attempt.fence
    state.accepted.push({ ...attempt, claim: isCurrent ? attempt.claim : 0, outcome })
    if (outcome === 'released') return this.#putBack(state, 'pending')
    if (outcome === 'failed') {
      job.lastError = 'own'
      if (!this.#rules.claimCharges) job.attempts++
      return this.#putBack(state, 'failed')
    }
    job.status = outcome === 'dead' ? 'dead' : 'completed'
    job.holder = 0
    flush(state)
  }

  #deliver(state: Protocol, r: number): void {
    const [request] = state.wire.splice(r, 1) as [Request]
    const process = state.processes[request.from] as Process
    if (!request.settles) {
      process.busy = false
      const got = request.answer
      // Claimed under an id that was declared lost in between: those claims are void.
      if (typeof got !== 'object' || got.worker !== process.id) return
      process.hand.push({ ...got })
      return
    }
    const mine = inHand(process, request.settles.claim)
    if (!mine) return
    if (request.answer === true || !this.#rules.answerRead) return tellAccepted(state, request.from, mine)
    this.#look(state, request.from, mine)
  }

  /** The sender hears nothing any more; what it sent may reach the server all the same. */
  #cut(state: Protocol, r: number): void {
    const request = state.wire[r] as Request
    const process = state.processes[request.from] as Process
    const mine = request.settles && inHand(process, request.settles.claim)
    if (!request.settles) {
      process.busy = false
      process.inDoubt ||= request.what === 'claimJobs'
    }
    const { from } = request
    request.from = -1
    if (!mayStillAct(request)) state.wire.splice(r, 1)
    if (!mine) return
    if (request.what === 'settle') {
      mine.repeated = true
      submit(state, from, mine, mine.outcome as Outcome)
    } else {
      // The COMMIT was perhaps sent: whoever gives the job back then must ask what became of it.
      mine.repeated = request.stage !== 'sent' && this.#rules.lateCommitTold
      submit(state, from, mine, 'released')
    }
  }

  #rescueSteps(): void {
    const { job, workers, processes, rescuePlan } = this.#from
    for (const [i, worker] of workers.entries()) {
      const id = i + 1
      const lives = processes.some((process) => process.id === id)
      const lose = (s: Protocol): void => {
        s.workers[i] = 'lost'
        flush(s)
      }
      if (worker === 'alive' && lives) this.#addFault('loseWorkers declares a living one lost', lose)
      if (worker === 'alive' && !lives) this.#add('loseWorkers declares a dead one lost', lose)
      if (worker === 'lost' && !lives && (job.holder !== id || !this.#rules.rowOutlivesJobs))
        this.#add('forgetWorkers', (s) => void (s.workers[i] = 'gone'))
    }
    const holder = workers[job.holder - 1]
    if (job.status === 'processing' && holder === 'gone' && this.#rules.orphansAdopted)
      this.#add('adoptOrphans', (s) => void (s.workers[job.holder - 1] = 'lost'))
    const mayRescue = job.status === 'processing' && holder === 'lost' && !this.#isLocked(undefined)
    if (this.#rules.rescueRechecks && mayRescue)
      this.#add('rescueJobs commits', (s) => this.#rescue(s, s.job.attempts))
    if (this.#rules.rescueRechecks) return
    if (mayRescue && !rescuePlan)
      this.#add('rescueJobs reads', (s) => void (s.rescuePlan = { attempts: s.job.attempts }))
    if (rescuePlan) {
      this.#add('rescueJobs writes what it read', (s) => {
        this.#rescue(s, rescuePlan.attempts)
        s.rescuePlan = undefined
      })
    }
  }

  #rescue(state: Protocol, attempts: number): void {
    const { job } = state
    if (isOver(job.status)) state.wrong = 'a job was rescued that had ended'
    job.lastError = 'lost'
    if (attempts < MAX_ATTEMPTS) return this.#putBack(state, 'failed')
    Object.assign(job, { status: 'dead', holder: 0, fence: job.fence + 1 })
    flush(state)
  }

  #operatorSteps(): void {
    const { status } = this.#from.job
    if (this.#isLocked(undefined)) return // it waits, and comes later
    if (!isOver(status)) {
      this.#addFault('cancelJobs commits', (s) => {
        Object.assign(s.job, { status: 'cancelled', holder: 0 })
        if (this.#rules.cancelFences) s.job.fence++
        flush(s)
      })
    }
    if (status === 'dead' || status === 'cancelled') {
      this.#addFault('redriveJobs commits', (s) => {
        Object.assign(s.job, { status: 'pending', attempts: 0, spent: 0 })
        if (this.#rules.fenceIs === 'its own') s.job.fence++
        flush(s)
      })
    }
    if (status === 'processing') {
      this.#addFault('somebody sets a running job to pending by hand', (s) => {
        Object.assign(s.job, { status: 'pending', holder: 0 })
        if (s.job.attempts >= MAX_ATTEMPTS) Object.assign(s.job, { attempts: 0, spent: 0 })
        if (this.#rules.fenceIs === 'its own') s.job.fence++
        s.job.lastError = 'none'
        flush(s)
      })
    }
  }

  #serverSteps(): void {
    // Nobody knows when the log has reached the disk, unless something was committed that waited for it.
    if (this.#from.undo)
      this.#addFault('the server crashes, and undoes a claim', (s) => this.#crash(s, s.undo))
    this.#addFault('the server crashes', (s) => this.#crash(s, undefined))
  }

  #crash(s: Protocol, undone: Job | undefined): void {
    if (undone) s.job = undone
    s.undo = undefined
    const wire = s.wire
    s.wire = wire.filter((request) => request.from >= 0)
    for (const request of s.wire.slice()) this.#cut(s, s.wire.indexOf(request))
    s.wire = s.wire.filter((request) => request.from >= 0)
  }
}

/** What `heldClaims` asks. */
function isHeld(job: Job, { fence, worker }: Attempt, { settleCompares }: Rules): boolean {
  if (job.status !== 'processing') return false
  return (!settleCompares.fence || job.fence === fence) && (!settleCompares.worker || job.holder === worker)
}

/** What `findOutcomes` asks. */
function isSettled(job: Job, { claim, fence, attempt }: Attempt, rules: Rules): boolean {
  if (rules.outcomesKnowClaim && job.claim !== claim) return false
  if (isOver(job.status)) return job.fence === fence
  if (job.fence !== fence + 1) return false
  if (job.status === 'failed') return job.lastError === 'own'
  return job.status === 'pending' && job.attempts === attempt - 1
}

function tellAccepted(state: Protocol, p: number, attempt: Attempt): void {
  // When a crash undoes a claim, and the same worker makes it again, the two are one: nobody could tell them apart.
  const isMine = ({ fence, worker }: Accepted): boolean =>
    fence === attempt.fence && worker === attempt.worker
  if (!state.accepted.some(isMine)) state.wrong = 'an outcome was told that was not accepted'
  drop(state, p, attempt)
}

const inHand = (process: Process, claim: number): Attempt | undefined =>
  process.hand.find((attempt) => attempt.claim === claim)

/** Sends how an attempt ended. When it goes out makes no difference: what counts is when it arrives. */
function submit(state: Protocol, p: number, attempt: Attempt, outcome: Outcome): void {
  attempt.outcome = outcome
  attempt.step = 'waits'
  const what = outcome === 'transactional' ? 'commit' : 'settle'
  state.wire.push({ what, from: p, worker: attempt.worker, settles: { ...attempt }, stage: 'sent' })
}

function drop(state: Protocol, p: number, attempt: Attempt): void {
  const process = state.processes[p] as Process
  process.hand = process.hand.filter((one) => one.claim !== attempt.claim)
}

/** What is committed durably takes everything before it to the disk too. */
function flush(state: Protocol): void {
  state.undo = undefined
}

function start(state: Protocol, p: number): void {
  const process = state.processes[p] as Process
  state.workers.push('alive')
  Object.assign(process, { id: state.workers.length, hand: [], busy: false, inDoubt: false })
  flush(state)
}

function end(state: Protocol, p: number): void {
  Object.assign(state.processes[p] as Process, { id: 0, hand: [], busy: false, inDoubt: false })
  for (const request of state.wire) if (request.from === p) request.from = -1
  state.wire = state.wire.filter((request) => request.from >= 0 || mayStillAct(request))
}

/** What nobody waits for is of interest while it may change something. A transaction whose last words were never sent commits nothing. */
const mayStillAct = ({ what, stage }: Request): boolean =>
  stage !== 'done' && !(what === 'commit' && stage === 'sent')

/** What runs is aborted; what has ended is still to be settled, and will hear that it is lost. */
function startAnew(state: Protocol, p: number): void {
  const process = state.processes[p] as Process
  process.hand = process.hand.filter((attempt) => attempt.step !== 'runs')
  state.workers.push('alive')
  process.id = state.workers.length
  process.inDoubt = false
  flush(state)
}

function copy(state: Protocol): Protocol {
  return {
    ...state,
    job: { ...state.job },
    undo: state.undo && { ...state.undo },
    workers: [...state.workers],
    processes: state.processes.map((process) => ({
      ...process,
      hand: process.hand.map((attempt) => ({ ...attempt })),
    })),
    wire: state.wire.map((request) => ({ ...request })),
    accepted: [...state.accepted],
  }
}

/** States that differ only in which process is which, or in what nothing can ask for any more, are the same. */
function key(state: Protocol): string {
  const [first, second] = state.processes.map(sketch) as [string, string]
  if (first < second) return encode(state, [0, 1])
  if (first > second) return encode(state, [1, 0])
  const one = encode(state, [0, 1])
  const other = encode(state, [1, 0])
  return one < other ? one : other
}

/** What can be said of a process without any number that has to be replaced. */
const sketch = ({ id, busy, inDoubt, hand }: Process): string =>
  `${+(id > 0)}${+busy}${+inDoubt}${hand.map(({ fence, attempt, outcome, step }) => `${fence}${attempt}${outcome}${step}`).join(',')}`

const STATUSES: readonly Status[] = [
  'pending',
  'processing',
  'failed',
  'completed',
  'dead',
  'cancelled',
  'nowhere',
]

function encode(state: Protocol, order: readonly number[]): string {
  const ids = new Map<number, number>([[0, 0]])
  const claims = new Map<number, number>([[0, 0]])
  const id = (worker: number): string => `${renumber(ids, worker)}${state.workers[worker - 1]?.[0] ?? ''}`
  const claim = (number: number): number => renumber(claims, number)
  const attempts: Attempt[] = []
  const ofAttempt = (a: Attempt): string => {
    attempts.push(a)
    return `${claim(a.claim)}${id(a.worker)}${a.fence}${a.attempt}${a.outcome?.slice(0, 2) ?? ''}${a.step[0]}${+a.repeated}`
  }
  const hands = order.map((p) => {
    const process = state.processes[p] as Process
    return `${id(process.id)}${+process.busy}${+process.inDoubt}[${process.hand.map(ofAttempt).join(',')}]`
  })
  const place = (p: number): number => (p < 0 ? 9 : order.indexOf(p))
  const wire = state.wire.map((q) => {
    const answer = typeof q.answer === 'object' ? ofAttempt(q.answer) : String(q.answer)[0]
    const settles = q.settles ? ofAttempt(q.settles) : ''
    return `${q.what.slice(0, 3)}${place(q.from)}${id(q.worker)}${q.stage[0]}${q.knows ?? ''}${settles}${answer}`
  })
  const ofJob = (j: Job): string => {
    const isKnown = j.status === 'processing' || claims.has(j.claim)
    return `${STATUSES.indexOf(j.status)}${j.attempts}${j.fence}${id(j.holder)}c${isKnown ? claim(j.claim) : ''}s${j.spent}${j.lastError[0]}${j.effects}`
  }
  const jobs = [ofJob(state.job), state.undo && state.faultsLeft > 0 ? ofJob(state.undo) : '']
  // What was accepted is of interest while somebody has the same claim, or may get it.
  const lowest = Math.min(state.job.fence, state.faultsLeft > 0 ? (state.undo?.fence ?? 99) : 99)
  const fences =
    attempts.reduce((bits, { fence }) => bits | (1 << fence), -1 << lowest) & state.acceptedFences
  const accepted = state.accepted.filter((one) =>
    attempts.some((a) => a.claim === one.claim || (a.fence === one.fence && a.worker === one.worker)),
  )
  const acceptances = accepted.map(
    (one) => `${claim(one.claim)}${one.fence}${id(one.worker)}${one.outcome.slice(0, 2)}`,
  )
  const rest = [fences, state.rescuePlan?.attempts ?? '', state.faultsLeft, state.wrong ?? '']
  return [...hands, wire.toSorted().join(';'), ...jobs, acceptances.join(','), ...rest].join('|')
}

function renumber(numbers: Map<number, number>, number: number): number {
  let short = numbers.get(number)
  if (short === undefined) numbers.set(number, (short = numbers.size))
  return short
}
