import { quoteIdentifier } from './statement.ts'

/** Listens on a channel. LISTEN takes no parameter. */
export const listenTo = (channel: string): string => `LISTEN ${quoteIdentifier(channel)}`

/** What the server says this connection listens to. */
export const LISTENING_CHANNELS = 'SELECT channel FROM pg_listening_channels() AS channel'
