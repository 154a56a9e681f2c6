/** The benchmark can't go on, or its figures would mean nothing: a contestant failed, or did less than it was asked to. */
export class BenchFault extends Error {
  override readonly name = 'BenchFault'
}
