import { randomFillSync } from 'node:crypto'
import { V7Generator } from 'uuidv7'

/** Random numbers, drawn for hundreds of ids at a time: a call for each few would cost more than all the rest. */
const words = new Uint32Array(1_024)
let used = words.length

const generator = new V7Generator({
  nextUint32: () => {
    if (used === words.length) {
      randomFillSync(words)
      used = 0
    }
    return words[used++] as number
  },
})

const DIGITS = Buffer.from('0123456789abcdef', 'latin1')
/** Where the digits of each byte go in the text form. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const
const text = Buffer.alloc(36, '-')

/**
 * A new id: a UUID of version 7 (RFC 9562), which rises within a process. The text is written in one piece, because a string that was
 * put together digit by digit keeps all its parts alive until somebody reads it, and ids are held by the thousand.
 */
export function newJobId(): string {
  const { bytes } = generator.generate()
  for (let i = 0; i < 16; i++) {
    const byte = bytes[i] as number
    const place = PLACES[i] as number
    text[place] = DIGITS[byte >>> 4] as number
    text[place + 1] = DIGITS[byte & 0xf] as number
  }
  return text.toString('latin1')
}
