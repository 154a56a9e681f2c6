/** A step of a path as core writes it: `.name`, `[3]` or `["odd key"]`. */
const STEP = /\.([A-Za-z_$][\w$]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/gy

/**
 * Turns the path of a payload issue (`$.items[3]["odd key"]`) into a JSON pointer as a URI fragment, which is the form that
 * RFC 9457 shows: `#/items/3/odd%20key`.
 */
export function jsonPointer(path: string): string {
  const steps = path.slice(1).matchAll(STEP)
  let pointer = '#'
  for (const [, name, index, quoted] of steps) {
    const key = name ?? index ?? (JSON.parse(quoted ?? '""') as string)
    pointer += `/${encodeURIComponent(key.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1'))}`
  }
  return pointer
}
