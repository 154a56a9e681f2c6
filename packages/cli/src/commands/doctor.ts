import type { Diagnosis, Duration, Finding, Severity } from '@pgq/core'
import type { Command } from 'commander'
import { action, type Call, type Outcome } from '../call.ts'
import { EXIT, type ExitCode } from '../exit-code.ts'
import { printable } from '../terminal/printable.ts'
import { counted } from '../terminal/quantities.ts'
import type { Screen } from '../terminal/screen.ts'

interface Options {
  readonly longTransaction?: Duration
}

/** `pgq doctor`. */
export function addDoctor(program: Command, outcome: Outcome): void {
  program
    .command('doctor')
    .description(
      'look for what makes a queue slow or unsafe, and say what to do; exit code 3 when there is something',
    )
    .option('--long-transaction <duration>', 'from when on a transaction is a long one (default: 5m)')
    .action(action<Options>(outcome, run))
}

async function run({ pgq, screen, options }: Call<Options>): Promise<ExitCode> {
  const { longTransaction } = options
  const diagnosis = await screen.during(
    'examining',
    pgq.diagnose(longTransaction === undefined ? {} : { longTransaction }),
  )
  screen.answer(diagnosis, () => render(diagnosis, screen))
  return diagnosis.isHealthy ? EXIT.done : EXIT.no
}

function render({ findings, isHealthy }: Diagnosis, screen: Screen): string {
  const widest = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.flatMap((finding) => describe(finding, widest, screen))
  return [...lines, '', verdict(findings, isHealthy, screen)].join('\n')
}

function describe({ check, severity, message, fix }: Finding, widest: number, screen: Screen): string[] {
  const { color } = screen
  const [mark, paint] = {
    ok: ['✓', color.green],
    note: ['·', color.blue],
    warning: ['!', color.yellow],
    problem: ['✗', color.red],
  }[severity] as [string, (text: string) => string]
  const indent = ' '.repeat(widest + 4)
  const lines = [
    `${paint(mark)} ${color.bold(check.padEnd(widest))}  ${screen.wrap(printable(message), indent.length)}`,
  ]
  if (fix !== null) lines.push(`${indent}${color.dim('→')} ${screen.wrap(printable(fix), indent.length + 2)}`)
  return lines
}

function verdict(findings: readonly Finding[], isHealthy: boolean, { color }: Screen): string {
  const has = (severity: Severity): number =>
    findings.filter((finding) => finding.severity === severity).length
  if (isHealthy) return color.green('Healthy.')
  const parts = [
    ...(has('problem') > 0 ? [color.red(counted(has('problem'), 'problem'))] : []),
    ...(has('warning') > 0 ? [color.yellow(counted(has('warning'), 'warning'))] : []),
  ]
  return `${parts.join(', ')}.`
}
