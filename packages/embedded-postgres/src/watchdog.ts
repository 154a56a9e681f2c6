import { spawn } from 'node:child_process'
import { Socket } from 'node:net'

/** Watches over this process; when it dies, however that comes, stops the server and removes its directory. */
export interface Watchdog {
  /** Says which process works in the directory now, if any does. */
  watch(pid: number | undefined): void
  /** Ends the watch: the directory has been dealt with. */
  dismiss(): void
}

/**
 * Reads one line for each change. The end of its input without a `done` means that this process is gone.
 * It looks for postmaster.pid and not for the process, which stays a zombie where nobody reaps orphans.
 */
const script = `
trap '' HUP INT TERM
pid=
while read -r line; do
  [ "$line" = done ] && exit 0
  pid=\${line#none}
done
if [ -n "$pid" ]; then
  kill -INT "$pid"
  tries=0
  while [ -e "$1/data/postmaster.pid" ] && [ $tries -lt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
  kill -QUIT "$pid"
fi
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
`

/** Starts the watch over one directory. */
export function startWatchdog(directory: string): Watchdog {
  const shell = spawn('/bin/sh', ['-c', script, 'pgq-watchdog', directory], {
    // In a session of its own, so that Ctrl-C ends only what it watches.
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  const input = shell.stdin
  if (input instanceof Socket) input.unref()
  // Somebody may have killed it; the server still runs, and stop() still cleans up.
  input.on('error', () => {})
  return {
    watch: (pid) => void input.write(`${pid ?? 'none'}\n`),
    dismiss: () => void input.end('done\n'),
  }
}
