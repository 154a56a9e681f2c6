import { cleanUpAfterwards } from './clean-up.ts'

/** Starts a worker in this process, which stops when the test or the file ends and waits for nobody then. */
export async function work<
  Handler,
  Options extends object,
  Worker extends { start(): Promise<unknown>; stop(): Promise<void> },
>(
  pgq: { createWorker(handlers: readonly Handler[], options?: Options): Worker },
  handlers: readonly Handler[],
  options?: Options,
): Promise<Worker> {
  const worker = pgq.createWorker(handlers, { shutdownTimeout: 0, ...options } as unknown as Options)
  cleanUpAfterwards(() => worker.stop())
  await worker.start()
  return worker
}
