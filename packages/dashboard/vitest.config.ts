import { testProject } from '../../scripts/vitest-project.ts'

export default testProject('dashboard', { typeTests: true, decorators: true })
