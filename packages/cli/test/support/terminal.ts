import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cleanUpAfterwards, until } from '@pgq/test-support'
import { MAIN } from './cli-queue.ts'

/** Whether this machine has a terminal to offer. */
export const hasTerminal = (() => {
  try {
    return execFileSync('tmux', ['-V'], { stdio: 'pipe' }).length > 0
  } catch {
    return false
  }
})()

/** A real terminal with a shell in it, in which `pgq` is the program, to type into and to look at. */
export class Terminal {
  readonly #socket = `pgq-${randomBytes(6).toString('hex')}`

  constructor(env: NodeJS.ProcessEnv, { width = 110, height = 40 } = {}) {
    const size = ['-x', String(width), '-y', String(height)]
    // A server of its own, whose shells have the environment that it is started with.
    execFileSync(
      'tmux',
      ['-L', this.#socket, '-f', '/dev/null', 'new-session', '-d', ...size, 'bash --norc --noprofile'],
      {
        env: { ...env, TERM: 'xterm-256color', HISTFILE: '' },
      },
    )
    cleanUpAfterwards(async () => void this.#tmux('kill-server'))
    this.#tmux(
      'send-keys',
      '-l',
      `pgq() { '${process.execPath}' '${MAIN}' "$@"; echo "exit code $?"; }; clear`,
    )
    this.press('Enter')
  }

  /** Types a line, as a person does, and Enter. */
  type(line: string): void {
    this.#tmux('send-keys', '-l', line)
    this.press('Enter')
  }

  /** Presses a key, as tmux names it: `C-c`, `Enter`. */
  press(key: string): void {
    this.#tmux('send-keys', key)
  }

  /** What is to be seen. */
  get text(): string {
    return this.#tmux('capture-pane', '-p')
  }

  /** The same with colours, as escape sequences. */
  get colours(): string {
    return this.#tmux('capture-pane', '-p', '-e')
  }

  /** The title of the window, which a program may set with escape sequences. */
  get title(): string {
    return this.#tmux('display-message', '-p', '#{pane_title}').trim()
  }

  /** Waits until something is to be seen, and returns all that is. */
  async see(what: RegExp | string): Promise<string> {
    let text = ''
    const isThere = (): boolean => {
      text = this.text
      return typeof what === 'string' ? text.includes(what) : what.test(text)
    }
    await until(`${String(what)} on the screen`, isThere).catch((error: unknown) => {
      throw new Error(`the screen shows:\n${text}`, { cause: error })
    })
    return text
  }

  #tmux(...args: readonly string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...args], { encoding: 'utf8', stdio: 'pipe' })
  }
}
