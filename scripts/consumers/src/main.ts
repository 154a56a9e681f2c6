import { throughExpress } from './through-express.js'
import { throughNest } from './through-nest.js'

async function main(connectionString: string): Promise<void> {
  await throughExpress(connectionString)
  await throughNest(connectionString)
  console.log('works')
}

main(process.env.DATABASE_URL ?? '').catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
