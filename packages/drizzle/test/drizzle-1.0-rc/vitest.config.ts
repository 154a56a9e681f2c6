import { versionProject } from '../support/version-project.ts'

export default versionProject('drizzle-1.0-rc', import.meta.dirname)
