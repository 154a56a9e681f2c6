const meta = (name: string): string =>
  document.querySelector<HTMLMetaElement>(`meta[name="pgq-${name}"]`)?.content ?? ''

/** What the page was told about whoever looks at it. The server asks again for everything. */
export const session = {
  canWrite: meta('access') === 'write',
  maySearch: meta('search') === 'true',
  actor: meta('actor'),
  title: document.title,
}
