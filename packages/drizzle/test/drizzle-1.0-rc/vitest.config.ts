import { versionProject } from '../../version-project.ts'

export default versionProject('drizzle-1.0-rc', import.meta.dirname)
