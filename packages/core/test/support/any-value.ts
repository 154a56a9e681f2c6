import fc from 'fast-check'

/** What handlers return and throw in the worst case: whatever JavaScript can make. */
const oddities: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => Symbol('a\0b'),
  () => Symbol.iterator,
  () => 12n ** 30n,
  () => Number.NaN,
  () => -0,
  () => 'a\0b',
  () => '\ud800',
  () => ({ '\ud800\0': '\udfff' }),
  () => () => 1,
  () => class Thing extends Map {},
  () => new Map([[{}, new Set([1n])]]),
  () => new WeakMap(),
  () => new Date(Number.NaN),
  () => /x/g,
  () => Buffer.from('bytes'),
  () => new BigInt64Array(2),
  () => new Error('plain'),
  () => new AggregateError([new Error('a\0b'), null], ''),
  () => Object.assign(new Error('x'), { name: Symbol('name'), message: 5, stack: {} }),
  () => Object.assign(new Error('x'), { code: 'PQ001', cause: Promise.resolve() }),
  () => Object.create(null) as unknown,
  () => Object.create({ toJSON: 5 }) as unknown,
  () => [...Array(1), 1, undefined, () => 1],
  () => Array(3),
  () => Object.assign([1], { map: () => 'a\0b' }),
  () => Object('text\0'),
  () => globalThis,
  cycle,
  cyclicCause,
  () => nested(300),
  () => nested(5_000),
  throwing,
  revoked,
  () => new Proxy({}, {}),
  () =>
    new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no keys')
        },
      },
    ),
  () => ({
    toJSON() {
      throw new Error('no JSON')
    },
  }),
  () => ({ toJSON: () => 'a\0b' }),
  () => ({ toJSON: () => undefined }),
  () => ({
    toJSON(): unknown {
      return this
    },
  }),
  () => ({ toString: () => 5, [Symbol.toPrimitive]: () => ({}) }),
  () => JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1, "toString": null}') as unknown,
]

function cycle(): unknown {
  const self: Record<string, unknown> = { name: 'cycle' }
  self['self'] = [self]
  return self
}

function cyclicCause(): unknown {
  const error = new Error('its own cause')
  error.cause = error
  return error
}

function nested(levels: number): unknown {
  let value: unknown = 'bottom'
  for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { value }
  return value
}

function throwing(): unknown {
  const refuse = {
    get(): never {
      throw new Error('not to be read')
    },
    enumerable: true,
  }
  return Object.defineProperties(
    {},
    { name: refuse, message: refuse, stack: refuse, cause: refuse, other: refuse },
  )
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** Makes any value at all. A function, because some of them break whoever looks at them, fast-check included. */
export const anyValue: fc.Arbitrary<() => unknown> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...oddities) },
  {
    weight: 1,
    arbitrary: fc
      .anything({
        withBigInt: true,
        withBoxedValues: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withNullPrototype: true,
        withSparseArray: true,
        withTypedArray: true,
      })
      .map((value) => () => value),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((message) => () => new Error(message)) },
)

/** Each of the odd values once. */
export const oddValues = (): unknown[] => oddities.map((make) => make())
