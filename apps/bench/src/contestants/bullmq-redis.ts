import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { BULLMQ_REDIS } from '../roster.ts'
import { openBullmq } from './bullmq.ts'
import type { BenchPayload, Contestant, Counts, OpenContestant } from './contestant.ts'

/** BullMQ on Redis. */
export const openBullmqRedis: OpenContestant = (url): Contestant => {
  const { hostname: host, port } = new URL(url)
  const connection = { host, port: Number(port) }
  const bullmq = openBullmq({
    worker: BULLMQ_REDIS,
    openQueue: (name, options) => new Queue<BenchPayload>(name, { ...options, connection }),
    openWorker: (name, process, options) =>
      new Worker<BenchPayload, void>(name, process, { ...options, connection }),
  })
  return {
    ...bullmq,
    setUp: async (queues) =>
      void (await Promise.all(queues.map((name) => bullmq.queueOf(name).waitUntilReady()))),
    counts: (queues) => withRedis(url, (redis) => countJobs(redis, queues)),
    connections: () =>
      withRedis(
        url,
        async (redis) =>
          String(await redis.client('LIST'))
            .trim()
            .split('\n').length - 1,
      ),
  }
}

/** Counts in the keys themselves; BullMQ numbers the jobs of a queue from 1 in its key `id`. */
async function countJobs(redis: Redis, queues: readonly string[]): Promise<Counts> {
  let [added, live, failed] = [0, 0, 0]
  for (const queue of queues) {
    const key = (part: string): string => `bull:${queue}:${part}`
    added += Number((await redis.get(key('id'))) ?? 0)
    live += (await redis.llen(key('wait'))) + (await redis.llen(key('active')))
    live += (await redis.zcard(key('delayed'))) + (await redis.zcard(key('prioritized')))
    failed += await redis.zcard(key('failed'))
  }
  return { added, live, failed, completed: undefined }
}

async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}
