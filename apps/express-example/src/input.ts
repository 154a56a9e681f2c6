import type { ErrorRequestHandler, Request } from 'express'
import { z } from 'zod'

/** Text that PostgreSQL can store: a NUL is fine in JSON, and in no column. */
export function storableText(maxLength: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .refine(
      (text) => !text.includes('\0') && text.isWellFormed(),
      'must be text without NUL or half characters',
    )
}

/** Reads the body of a request, or throws what `invalidInput` answers. */
export function bodyOf<T extends z.ZodType>(req: Request, schema: T): z.infer<T> {
  return schema.parse(req.body)
}

/** Answers bodies that were refused, in the form that `problems` has for payloads. */
export const invalidInput: ErrorRequestHandler = (error, _req, res, next) => {
  if (!(error instanceof z.ZodError) || res.headersSent) return next(error)
  const errors = error.issues.map(({ path, message }) => ({
    pointer: `#${path.map((key) => `/${encodeURIComponent(String(key))}`).join('')}`,
    detail: message,
  }))
  res.status(422).type('application/problem+json')
  res.json({ type: 'about:blank', title: 'Unprocessable Content', status: 422, errors })
}
