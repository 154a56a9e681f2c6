import type { INestApplication, INestApplicationContext, ModuleMetadata } from '@nestjs/common'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { onTestFinished } from 'vitest'

/** Starts an application without a server, and closes it when the test ends. */
export async function startApp(root: ModuleMetadata): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(rootModule(root), {
    logger: false,
    abortOnError: false,
  })
  onTestFinished(() => app.close())
  return app
}

/** Starts an application with an HTTP server, and closes it when the test ends. */
export async function startServer(root: ModuleMetadata): Promise<{ app: INestApplication; url: string }> {
  const app = await NestFactory.create(rootModule(root), { logger: false, abortOnError: false })
  onTestFinished(() => app.close())
  await app.listen(0, '127.0.0.1')
  return { app, url: await app.getUrl() }
}

/** The error that keeps an application from starting. */
export async function startError(root: ModuleMetadata): Promise<Error> {
  try {
    await startApp(root)
  } catch (error) {
    return error as Error
  }
  throw new Error('the application has started')
}

function rootModule(root: ModuleMetadata): new () => object {
  class AppModule {}
  Module(root)(AppModule)
  return AppModule
}
