import type pg from 'pg'

/** Closes the socket under a connection: a polite end would wait for a peer that may be gone. */
export function destroyConnection(client: pg.ClientBase): void {
  const { connection } = client as { connection?: { stream?: { destroy(): void } } }
  connection?.stream?.destroy()
}
