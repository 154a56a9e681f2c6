/** The command line of pgq as a function, for a command line of your own. */
export { runCli } from './run-cli.ts'
export { EXIT, type ExitCode } from './exit-code.ts'
