import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ClientLog } from '../history/client-log.ts'
import type { Answer, ClientOptions, Order } from './orders.ts'

/** What a client does. */
export type Role = 'worker' | 'producer'

/** A client's process, seen from the harness. Its end is written into the harness's log, and whether it was wanted. */
export class ClientProcess {
  readonly name: string
  readonly exited: Promise<void>
  readonly #child: ChildProcess
  readonly #waiting: { readonly did: Answer['did']; readonly resolve: () => void }[] = []
  #wanted = false
  #askedMs: number | undefined
  #isReady = false
  #isFrozen = false

  constructor(role: Role, options: ClientOptions, log: ClientLog) {
    this.name = options.name
    this.#child = fork(
      fileURLToPath(new URL(`../../dist/process/${role}-main.js`, import.meta.url)),
      [JSON.stringify(options)],
      { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    )
    this.#child.on('message', (answer: Answer) => this.#onAnswer(answer))
    this.#child.on('error', () => {})
    this.exited = once(this.#child, 'exit').then(([code, signal]) =>
      log.write({
        op: 'exit',
        process: this.name,
        code: code as number | null,
        signal: signal as string | null,
        wanted: this.#wanted,
        ...(this.#askedMs !== undefined && { tookMs: performance.now() - this.#askedMs }),
      }),
    )
  }

  /** Whether it has begun to work and has not ended. */
  get isReady(): boolean {
    return this.#isReady && !this.hasEnded && !this.#wanted
  }

  get isFrozen(): boolean {
    return this.#isFrozen
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  kill(): boolean {
    this.#wanted = true
    // A kill does away with what it was asked before.
    this.#askedMs = undefined
    return this.#child.kill('SIGKILL')
  }

  /** Kills one that has not ended when it was asked to; that it was asked stays on record. */
  abandon(): void {
    this.#child.kill('SIGKILL')
  }

  freeze(): boolean {
    this.#isFrozen = true
    return this.#child.kill('SIGSTOP')
  }

  /** Whether it still lived. */
  thaw(): boolean {
    this.#isFrozen = false
    return !this.hasEnded && this.#child.kill('SIGCONT')
  }

  /** Asks it to end by itself. */
  askToStop(): boolean {
    this.#wanted = true
    this.#askedMs = performance.now()
    return this.#child.kill('SIGTERM')
  }

  /** Tells it to do something, and resolves with whether it has answered. */
  async tell(order: Order): Promise<boolean> {
    if (this.hasEnded || !this.#child.connected) return false
    const done = new Promise<boolean>((resolve) =>
      this.#waiting.push({ did: order.do, resolve: () => resolve(true) }),
    )
    this.#child.send(order, () => {})
    return Promise.race([done, this.exited.then(() => false)])
  }

  /** Tells a producer to enqueue no more and to end. */
  finish(): void {
    this.#wanted = true
    if (this.#child.connected) this.#child.send({ do: 'finish' } satisfies Order, () => {})
  }

  #onAnswer({ did }: Answer): void {
    if (did === 'ready') this.#isReady = true
    const index = this.#waiting.findIndex((waiting) => waiting.did === did)
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve()
  }
}
