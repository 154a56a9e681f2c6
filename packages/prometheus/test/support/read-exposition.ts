/** One line of the text format. */
interface ReadSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What was exposed: types by name, and all samples. */
export interface ReadExposition {
  readonly types: ReadonlyMap<string, string>
  readonly samples: readonly ReadSample[]
}

const sampleLine =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (\+Inf|NaN|-?[\d.e+-]+)$/
const labelPair = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\n"])*)"/g

/** Reads the text format strictly, as its specification has it. Throws at the first line that is none. */
export function readExposition(text: string): ReadExposition {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const types = new Map<string, string>()
  const samples: ReadSample[] = []
  const seen = new Set<string>()
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('# HELP ')) continue
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line)
    if (type) {
      const [, name = '', kind = ''] = type
      if (types.has(name)) throw new Error(`${name} is announced twice`)
      types.set(name, kind)
      continue
    }
    const sample = sampleLine.exec(line)
    if (!sample) throw new Error(`no sample: ${line}`)
    const [, name = '', pairs = '', number = ''] = sample
    const family = [...types.keys()].at(-1) ?? ''
    if (!new RegExp(`^${family}(_bucket|_sum|_count)?$`).test(name))
      throw new Error(`${name} is out of place`)
    const key = `${name}{${pairs}}`
    if (seen.has(key)) throw new Error(`${key} is there twice`)
    seen.add(key)
    samples.push({ name, labels: readLabels(pairs), value: number === '+Inf' ? Infinity : Number(number) })
  }
  return { types, samples }
}

function readLabels(pairs: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [, name = '', value = ''] of pairs.matchAll(labelPair))
    labels[name] = value.replaceAll(/\\(.)/g, (_all, one: string) => (one === 'n' ? '\n' : one))
  return labels
}
