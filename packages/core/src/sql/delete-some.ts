/**
 * Deletes a bounded number of the rows of a table that a condition picks, and passes over those that somebody has locked: what is old
 * can wait for the next time.
 * @param where about the table, under the name `past`
 * @param limit the parameter that says how many
 */
export const deleteSome = (table: string, where: string, limit = '$1'): string => `
DELETE FROM ${table}
WHERE ctid = ANY (ARRAY(
  SELECT past.ctid FROM ${table} AS past
  WHERE ${where}
  LIMIT ${limit}
  FOR UPDATE SKIP LOCKED))`
