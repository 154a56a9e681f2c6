import { versionProject } from '../../version-project.ts'

export default versionProject('drizzle-0.44', import.meta.dirname)
