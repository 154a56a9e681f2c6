import type { NewJob } from '../job/new-job.ts'

/** The most jobs and the most text in one statement: it bounds the memory of both sides. */
export const CHUNK_JOBS = 5_000
export const CHUNK_CHARACTERS = 4 * 1024 * 1024

/** Cuts jobs into what fits into one statement each. */
export function inChunks(jobs: NewJob[]): NewJob[][] {
  const chunks: NewJob[][] = []
  let chunk: NewJob[] = []
  let characters = 0
  for (const job of jobs) {
    const size = job.payloadText.length + job.fields.length
    if (chunk.length > 0 && (chunk.length === CHUNK_JOBS || characters + size > CHUNK_CHARACTERS)) {
      chunks.push(chunk)
      chunk = []
      characters = 0
    }
    chunk.push(job)
    characters += size
  }
  return [...chunks, chunk]
}
