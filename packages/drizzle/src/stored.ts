/**
 * How a value reads when it comes back from the `jsonb` column that it was stored in: a `Date`, and whatever else has a
 * `toJSON`, as what that returns; what JSON cannot hold, not at all.
 */
export type Stored<T> = unknown extends T
  ? T
  : T extends { toJSON(): infer Json }
    ? Stored<Json>
    : T extends string | number | boolean | null | undefined
      ? T
      : // oxlint-disable-next-line typescript/no-explicit-any -- any function at all
        T extends bigint | symbol | ((...args: any[]) => unknown)
        ? never
        : T extends object
          ? { [Key in keyof T]: Stored<T[Key]> }
          : T
