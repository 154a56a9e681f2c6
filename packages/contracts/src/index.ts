/** The suites that whatever plays a part in pgq has to pass. For tests only. */
export { type OpenDriver, type TransactionDriver, transactionContract } from './transaction-contract.ts'
