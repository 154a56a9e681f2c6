import { testProject } from '../../scripts/vitest-project.ts'

export default testProject('nest', { typeTests: true, decorators: true })
