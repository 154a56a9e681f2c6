import { afterAll } from 'vitest'
import { cleanUpFile } from './clean-up.ts'

// The set-up of each file, also where files share a process and its modules.
afterAll(cleanUpFile)
