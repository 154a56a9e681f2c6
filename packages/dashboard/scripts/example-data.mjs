// A shop with some history: what the screenshots show. Everything in it is made up, and the same every time.
const QUEUES = [
  { name: 'payment.receipt', perMinute: 240, failing: 0.012, waitedMs: 18, ranMs: 42 },
  { name: 'payment.webhook', perMinute: 610, failing: 0.034, waitedMs: 9, ranMs: 27 },
  { name: 'search.index', perMinute: 95, failing: 0, waitedMs: 130, ranMs: 310 },
  { name: 'mail.newsletter', perMinute: 32, failing: 0.08, waitedMs: 2400, ranMs: 640 },
  { name: 'report.daily', perMinute: 2, failing: 0, waitedMs: 40, ranMs: 5200 },
]
const ERRORS = [
  ['payment.webhook', 'ConnectTimeoutError', 'connect ETIMEDOUT 10.20.4.17:443 after 10000 ms', 41],
  ['payment.webhook', 'HttpError', 'the endpoint https://hooks.example.com/v2 answered 503', 17],
  ['mail.newsletter', 'MailboxError', 'mailbox "ada@example.com" is full', 9],
  ['payment.receipt', 'TypeError', "Cannot read properties of undefined (reading 'amount')", 4],
]

/** Numbers that look random and are the same every time. */
function sequence(seed) {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

/** Fills the minutes of the last day, and some dead, waiting and completed jobs. */
export async function writeHistory(pool, schema) {
  const random = sequence(7)
  for (const queue of QUEUES) {
    const rows = Array.from({ length: 1_440 }, (_, ago) => {
      const day = 0.75 + 0.25 * Math.sin((ago / 1_440) * 2 * Math.PI)
      const completed = Math.round(queue.perMinute * day * (0.75 + 0.5 * random()))
      // Half an hour ago, something was down for a few minutes.
      const trouble = ago > 28 && ago < 35 && queue.failing > 0 ? 8 : 1
      const failed = Math.round(completed * queue.failing * trouble * random() * 2)
      const ended = completed + failed
      return {
        ago,
        completed,
        failed,
        dead: Math.round(failed * 0.1),
        waited: ended * queue.waitedMs * (0.7 + 0.6 * random()) * (trouble > 1 ? 4 : 1),
        ran: ended * queue.ranMs * (0.8 + 0.4 * random()),
      }
    })
    await pool.query(
      `INSERT INTO ${schema}.queue_minutes (minute, queue_name, completed, failed, dead, waited_ms, ran_ms)
       SELECT date_bin('1 minute', now(), '2000-01-01 00:00Z') - ago * interval '1 minute', $1, completed, failed, dead, waited, ran
       FROM jsonb_to_recordset($2::text::jsonb) AS row (ago int, completed bigint, failed bigint, dead bigint, waited float8, ran float8)
       WHERE completed > 0`,
      [queue.name, JSON.stringify(rows)],
    )
  }
  for (const [queue, name, message, count] of ERRORS) {
    await pool.query(
      `INSERT INTO ${schema}.jobs (queue_name, status, payload, attempts, max_attempts, created_at, started_at, completed_at, error, errors)
       SELECT $1, 'dead', jsonb_build_object('paymentId', 'p_' || 41000 + n, 'amount', 1200 + n * 37, 'customer', jsonb_build_object('id', 700 + n, 'country', 'DE')),
              3, 3, at - interval '14 s', at, at, $3,
              (SELECT jsonb_agg(jsonb_build_object('attempt', attempt, 'at', at - (3 - attempt) * interval '4 s', 'name', $2::text, 'message', $3::text,
                 'stack', $2 || ': ' || $3 || E'\\n    at deliver (file:///srv/shop/src/webhooks/deliver.ts:48:11)\\n    at async handler (file:///srv/shop/src/webhooks/handler.ts:21:3)') ORDER BY attempt)
               FROM generate_series(1, 3) AS attempt)
       FROM (SELECT n, now() - n * interval '83 s' AS at FROM generate_series(1, $4::int) AS n) AS row`,
      [queue, name, message, count],
    )
  }
  await pool.query(
    `INSERT INTO ${schema}.jobs (queue_name, status, payload, attempts, created_at, started_at, completed_at, result)
     SELECT CASE n % 3 WHEN 0 THEN 'payment.receipt' WHEN 1 THEN 'payment.webhook' ELSE 'search.index' END, 'completed',
            jsonb_build_object('paymentId', 'p_' || 52000 + n, 'amount', 900 + n * 13), 1, at - interval '60 ms', at - interval '41 ms', at, '{"delivered": true}'
     FROM (SELECT n, now() - n * interval '2 s' AS at FROM generate_series(1, 60) AS n) AS row`,
  )
}
