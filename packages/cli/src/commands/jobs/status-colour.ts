import type { JobStatus } from '@pgq/core'
import type { Screen } from '../../terminal/screen.ts'

/** How a status looks. */
export function statusColour(status: JobStatus, { color }: Screen): (text: string) => string {
  switch (status) {
    case 'processing':
      return color.cyan
    case 'completed':
      return color.green
    case 'failed':
      return color.yellow
    case 'dead':
      return color.red
    case 'cancelled':
      return color.dim
    case 'pending':
      return String
  }
}
