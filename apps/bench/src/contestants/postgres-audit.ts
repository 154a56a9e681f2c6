import pg from 'pg'

/** Reads one row on a connection that is opened for it and belongs to nobody's pool. */
export async function readRow<Row extends pg.QueryResultRow>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench audit' })
  await client.connect()
  try {
    const { rows } = await client.query<Row>(text, values)
    if (rows.length !== 1) throw new Error(`${rows.length} rows instead of one: ${text}`)
    return rows[0] as Row
  } finally {
    await client.end()
  }
}

/** Runs statements on such a connection, for what a product's own interface would take too long to do. */
export async function runStatements(url: string, statements: readonly [string, unknown[]][]): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench ballast' })
  await client.connect()
  try {
    for (const [text, values] of statements) await client.query(text, values)
  } finally {
    await client.end()
  }
}

/** How many connections there are to the same database, besides the benchmark's own. */
export async function countConnections(url: string): Promise<number> {
  const { connections } = await readRow<{ connections: number }>(
    url,
    `SELECT count(*)::integer AS connections
     FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND application_name NOT LIKE 'bench%'`,
  )
  return connections
}
