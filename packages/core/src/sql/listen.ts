import { quoteIdentifier, type Statement } from './statement.ts'

/** Listens on a channel. LISTEN takes no parameter. */
export const listenTo = (channel: string): string => `LISTEN ${quoteIdentifier(channel)}`

/** What the server says this connection listens to. */
export const LISTENING_CHANNELS = 'SELECT channel FROM pg_listening_channels() AS channel'

/** Sends a notification over a channel, to see whether it arrives. */
export const notifyProbe: Statement<{ readonly channel: string; readonly probe: string }, never> = {
  name: 'probe notifications',
  text: `SELECT pg_notify($1, 'probe:' || $2)`,
  values: ({ channel, probe }) => [channel, probe],
}
