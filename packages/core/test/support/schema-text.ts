import type { FreshQueue } from './fresh-queue.ts'

/** Everything that is in the schema of a queue, as one text: two schemas are the same exactly if their texts are. */
export async function schemaText({ sql, schema }: FreshQueue): Promise<string> {
  const rows = await sql<{ line: string }>(
    `WITH space AS (SELECT oid FROM pg_namespace WHERE nspname = $1),
     tables AS (SELECT c.* FROM pg_class AS c JOIN space ON c.relnamespace = space.oid)
     SELECT line FROM (
       SELECT format('%s %s %s %s', c.relkind, c.relname, c.reloptions, pg_get_expr(c.relpartbound, c.oid)) AS line FROM tables AS c
       UNION ALL
       SELECT format('%s.%s %s %s %s %s', c.relname, a.attname, a.attnum, a.atttypid::regtype, a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
       FROM tables AS c JOIN pg_attribute AS a ON a.attrelid = c.oid LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
       WHERE a.attnum > 0 AND c.relkind IN ('r', 'p')
       UNION ALL
       SELECT format('%s constraint %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid))
       FROM tables AS c JOIN pg_constraint AS k ON k.conrelid = c.oid
       UNION ALL
       SELECT pg_get_indexdef(i.indexrelid) || i.indisvalid FROM tables AS c JOIN pg_index AS i ON i.indrelid = c.oid
       UNION ALL
       SELECT pg_get_triggerdef(t.oid) FROM tables AS c JOIN pg_trigger AS t ON t.tgrelid = c.oid
       UNION ALL
       SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p JOIN space ON p.pronamespace = space.oid
     ) AS lines ORDER BY line COLLATE "C"`,
    [schema],
  )
  const ledger = await sql(`SELECT id, name, checksum, breaking FROM "${schema}".migrations ORDER BY id`)
  // The channel is a hash of the schema's name.
  return [...rows.map((row) => row.line), JSON.stringify(ledger)]
    .join('\n')
    .replaceAll(schema, 'SCHEMA')
    .replaceAll(/pgq:[0-9a-f]{16}/g, 'CHANNEL')
}
