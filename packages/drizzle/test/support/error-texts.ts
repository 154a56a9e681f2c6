/** What the logs of an application have of an error: the stacks of it and of its causes, which begin with the messages. */
export function texts(error: unknown): string {
  return error instanceof Error ? `${error.message} ${error.stack} ${texts(error.cause)}` : String(error)
}
