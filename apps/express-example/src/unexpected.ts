import type { ErrorRequestHandler } from 'express'

/**
 * Answers what nobody expected, last of all: the operator reads what it was, the client hears that it was not its fault.
 * Express's own handler would send a page of HTML with the stack, and in that the SQL and its values.
 */
export const unexpected: ErrorRequestHandler = (error, _req, res, next) => {
  if (res.headersSent) return next(error)
  console.error(error)
  res.status(500).set('Cache-Control', 'no-store').type('application/problem+json')
  res.json({ type: 'about:blank', title: 'Internal Server Error', status: 500 })
}
