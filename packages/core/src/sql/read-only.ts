/** Whether a server takes no writes from this connection: `on` for a standby, and for a primary that is set to be read-only. */
export const IS_READ_ONLY = 'SHOW transaction_read_only'
