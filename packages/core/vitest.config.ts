import { testProject } from '../../scripts/vitest-project.ts'

export default testProject('core', { typeTests: true, shared: true })
