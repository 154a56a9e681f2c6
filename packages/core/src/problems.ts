/** What errors of pgq mean over HTTP, as RFC 9457 problem details: the same in every framework. For packages that build on this one. */
export { jsonPointer } from './http/json-pointer.ts'
export { type Problem, type ProblemIssue, problemType } from './http/problem.ts'
export { type ProblemDecision, problemOf, PROBLEMS_BY_CODE } from './http/problem-types.ts'
