import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ContestantName } from '../roster.ts'
import type { Tasks } from '../tasks/tasks.ts'
import type { Answer, Request } from './messages.ts'

/** A request without its number. */
type Order = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never

/** How long a process may take to end by itself, in ms. */
const END_MS = 2_000

/** A contestant's process, seen from the one that measures. It lives for all rounds, so that its code is warm. */
export class ContestantProcess {
  readonly #name: ContestantName
  readonly #child: ChildProcess
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >()
  #requests = 0
  #isOpen = false
  #ends = false

  private constructor(name: ContestantName, node: string) {
    this.#name = name
    this.#child = fork(fileURLToPath(new URL('contestant-main.js', import.meta.url)), [name], {
      execPath: node,
      execArgv: [],
      // What it prints is for people: stdout belongs to the table or the JSON.
      stdio: ['ignore', 2, 2, 'ipc'],
      env: { ...process.env, NODE_ENV: 'production', NO_LOG_SUCCESS: '1' },
    })
    this.#child.on('message', (answer: Answer) => this.#onAnswer(answer))
    this.#child.on('error', (error) => this.#fail(error))
    this.#child.on('exit', (code, signal) => {
      if (!this.#ends)
        this.#fail(new Error(`the process of ${name} ended with ${signal ?? `exit code ${code}`}`))
    })
  }

  /** Starts a process. */
  static async start(name: ContestantName, node: string): Promise<ContestantProcess> {
    const contestant = new ContestantProcess(name, node)
    await contestant.#answerTo(0)
    return contestant
  }

  /** Connects the contestant to a store. */
  async open(url: string): Promise<void> {
    await this.#ask({ do: 'open', url })
    this.#isOpen = true
  }

  /** Disconnects it. */
  async close(): Promise<void> {
    if (this.#isOpen) await this.#ask({ do: 'close' })
    this.#isOpen = false
  }

  /** Has it do something. */
  async do<Name extends keyof Tasks>(
    task: Name,
    options: Parameters<Tasks[Name]>[0],
  ): Promise<Awaited<ReturnType<Tasks[Name]>>> {
    return (await this.#ask({ do: 'task', task, options })) as Awaited<ReturnType<Tasks[Name]>>
  }

  /** Ends the process. */
  async end(): Promise<void> {
    this.#ends = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    if (this.#child.connected) this.#child.disconnect()
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), END_MS)
    await ended
    clearTimeout(impatience)
  }

  #ask(order: Order): Promise<unknown> {
    const id = ++this.#requests
    const answer = this.#answerTo(id)
    this.#child.send({ id, ...order }, (error) => {
      if (error) this.#fail(error)
    })
    return answer
  }

  #answerTo(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  #onAnswer(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if ('error' in answer) waiting?.reject(new Error(`${this.#name}: ${answer.error}`))
    else waiting?.resolve(answer.result)
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
