import type { MutantsArguments } from '../arguments.ts'

/** placeholder */
export async function runMutants(
  _args: MutantsArguments,
  _say: (text: string) => void,
): Promise<{ mutants: number; caught: number; each: { name: string; caught: boolean; by: string[] }[] }> {
  return { mutants: 0, caught: 0, each: [] }
}
