import type pg from 'pg'
import type { Parameter, Statement } from '../../src/sql/statement.ts'

/** One node of a plan, as EXPLAIN (FORMAT JSON) gives it. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Shared Hit Blocks'?: number
  readonly 'Shared Read Blocks'?: number
  readonly Plans?: readonly PlanNode[]
}

/** What a statement did when it was really run. */
export interface Explained {
  readonly nodes: readonly PlanNode[]
  /** Pages touched by the whole statement. */
  readonly buffers: number
}

/** How the statement is planned: for its values, or once for all of them, as a cached plan would be. */
export type PlanMode = 'custom' | 'generic'

/** Runs a statement under EXPLAIN ANALYZE. */
export async function explain<Params, Row>(
  client: pg.Client,
  statement: Statement<Params, Row>,
  params: Params,
  mode: PlanMode,
): Promise<Explained> {
  await client.query(`SET plan_cache_mode = force_${mode}_plan`)
  await client.query(`PREPARE explained AS ${statement.text}`)
  const values = statement.values(params).map(literal)
  try {
    const execute = values.length > 0 ? `explained(${values.join(', ')})` : 'explained'
    const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE ${execute}`)
    const root: PlanNode = rows[0]['QUERY PLAN'][0].Plan
    return {
      nodes: flatten(root),
      buffers: (root['Shared Hit Blocks'] ?? 0) + (root['Shared Read Blocks'] ?? 0),
    }
  } finally {
    await client.query('DEALLOCATE explained')
  }
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)]
}

function literal(value: Parameter): string {
  if (value === null) return 'NULL'
  if (Array.isArray(value)) return `'{${value.map((item) => `"${String(item)}"`).join(',')}}'`
  return `'${String(value).replaceAll("'", "''")}'`
}
