import type { Request, RequestHandler } from 'express'

declare global {
  // oxlint-disable-next-line typescript/no-namespace -- this is how the types of Express are extended
  namespace Express {
    interface Request {
      /** Who is asking, behind `authenticate`. */
      user?: { readonly id: string }
    }
  }
}

/** Knows users by the header `X-Api-Key`, and answers everybody else with 401. It stands for the log-in that you have. */
export function authenticate(users: ReadonlyMap<string, string>): RequestHandler {
  return (req, res, next) => {
    const id = users.get(req.get('X-Api-Key') ?? '')
    if (id === undefined) {
      res.status(401).set('WWW-Authenticate', 'ApiKey').type('application/problem+json')
      res.json({ type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'Send a known X-Api-Key.' })
    } else {
      req.user = { id }
      next()
    }
  }
}

/** Who is asking. It throws where nobody was asked to log in, and so nobody is taken for somebody. */
export function userOf(req: Request): string {
  if (req.user) return req.user.id
  throw new Error(`nobody is logged in at ${req.method} ${req.path}: authenticate is missing before it`)
}
