import type { Tables } from '../sql/statement.ts'
import type { Migration } from './migration.ts'

/** What each queue did, minute by minute. */
export const queueMinutes: Migration = {
  id: 10,
  name: 'queue minutes',
  breaking: false,
  up: (t) => minutes(t),
}

/**
 * Workers add to these rows every few seconds what they have settled, so a chart of a day reads some thousand rows
 * whatever the jobs. They are figures for people: a worker that is killed takes its last seconds with it.
 */
const minutes = (t: Tables): string => `
CREATE TABLE ${t.queueMinutes} (
  minute     timestamptz NOT NULL,
  queue_name text        NOT NULL,
  completed  bigint      NOT NULL DEFAULT 0,
  failed     bigint      NOT NULL DEFAULT 0,
  dead       bigint      NOT NULL DEFAULT 0,
  cancelled  bigint      NOT NULL DEFAULT 0,
  waited_ms  float8      NOT NULL DEFAULT 0,
  ran_ms     float8      NOT NULL DEFAULT 0,
  PRIMARY KEY (minute, queue_name)
) WITH (fillfactor = 50);
COMMENT ON TABLE ${t.queueMinutes} IS
  'How many attempts of each queue ended in each minute, and how; waited_ms and ran_ms are sums over all of them.';
`
