import { testProject } from '../../scripts/vitest-project.ts'

export default testProject('cli')
