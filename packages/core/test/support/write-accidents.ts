import type { FreshQueue } from './fresh-queue.ts'

/** Ends a backend at one of the writes to a schema. */
export interface WriteAccidents {
  /** From now on counts from 0, and ends the backend that makes the write with this number, once. No number: only counts. */
  arm(at?: number): Promise<void>
  /** How many writes there were since; before and after each row there is one. */
  count(): Promise<number>
}

/**
 * Puts a trigger before and after each row that is written to any table of a queue: where a function consists of several statements,
 * and a statement of several parts, this is between any two of them. The counter is a sequence, which no rollback takes back.
 */
export async function watchWrites({ schema, sql }: FreshQueue): Promise<WriteAccidents> {
  const tables = await sql<{ name: string }>(
    `SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'`,
    [schema],
  )
  await sql(`CREATE SEQUENCE ${schema}.writes MINVALUE 0`)
  await sql(`CREATE SEQUENCE ${schema}.accident_at MINVALUE -1`)
  await sql(`
    CREATE FUNCTION ${schema}.maybe_die() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('${schema}.writes') = (SELECT last_value FROM ${schema}.accident_at) THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(10);
      END IF;
      RETURN coalesce(NEW, OLD);
    END $$`)
  for (const { name } of tables)
    for (const when of ['before', 'after'])
      await sql(
        `CREATE TRIGGER die_${when} ${when} INSERT OR UPDATE OR DELETE ON ${name} FOR EACH ROW EXECUTE FUNCTION ${schema}.maybe_die()`,
      )
  return {
    async arm(at = -1) {
      await sql(`SELECT setval('${schema}.accident_at', $1), setval('${schema}.writes', 0, false)`, [at])
    },
    async count() {
      const [row] = await sql<{ count: string }>(
        `SELECT last_value + is_called::integer AS count FROM ${schema}.writes`,
      )
      return Number(row?.count)
    },
  }
}
