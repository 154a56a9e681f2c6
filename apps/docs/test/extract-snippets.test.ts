import { expect, test } from 'vitest'
import { extractSnippets } from '../src/extract-snippets.ts'

const document = `# Guide

\`\`\`ts
const one = 1
\`\`\`

\`\`\`sql
SELECT 1
\`\`\`

\`\`\`ts run continued
console.log(one)
\`\`\`

\`\`\`ts run
const two = 2
\`\`\`

\`\`\`tsx
not ours
\`\`\`
`

test('every ts block becomes a module on the lines of the document', () => {
  expect(extractSnippets(document)).toEqual([
    { line: 3, run: false, code: '\n\n\nconst one = 1' },
    { line: 11, run: true, code: '\n\n\nconst one = 1\n\n\n\n\n\n\n\nconsole.log(one)' },
    { line: 15, run: true, code: `${'\n'.repeat(15)}const two = 2` },
  ])
})

test('a document without code has no snippets', () => {
  expect(extractSnippets('# Nothing here\n')).toEqual([])
})

test('a block that does not end, or continues nothing, is an error that names its line', () => {
  expect(() => extractSnippets('\n```ts\nconst one = 1')).toThrow('line 2 does not end')
  expect(() => extractSnippets('```ts continued\n```')).toThrow('line 1 continues nothing')
})
