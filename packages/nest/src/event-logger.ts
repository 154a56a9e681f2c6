import { Logger as NestLogger } from '@nestjs/common'
import { type Events, logEvents, type Logger } from '@pgq/core'

/** Sends events to Nest's Logger, or to another one. Returns the function that ends it. */
export function logToNest(events: Events, logger: boolean | 'debug' | Logger): () => void {
  if (logger === false) return () => {}
  return logEvents(events, typeof logger === 'object' ? logger : nestLogger(logger === 'debug'))
}

/** Nest calls `log` what others call `info`. */
function nestLogger(withDebug: boolean): Logger {
  const nest = new NestLogger('Pgq')
  return {
    debug: (message) => withDebug && nest.debug(message),
    info: (message) => nest.log(message),
    warn: (message) => nest.warn(message),
    error: (message) => nest.error(message),
  }
}
