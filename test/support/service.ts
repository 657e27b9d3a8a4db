import { type NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { type AddressInfo } from 'node:net';
import supertest from 'supertest';
import { DataSource } from 'typeorm';
import { AppModule } from '../../src/app.module.js';
import { ResolvedSettings, type Settings } from '../../src/config/settings.js';
import { configureApp } from '../../src/configure-app.js';
import { createTestDatabase } from './database.js';

export interface TestService {
  app: NestExpressApplication;
  db: DataSource;
  url: string;
  settings: ResolvedSettings;
  /** Requests to the running service. */
  http: ReturnType<typeof supertest>;
  close(): Promise<void>;
}

export const TEST_SETTINGS: Partial<Settings> = {
  PORT: 0,
  ENTOURAGE_JWT_SECRET: 'test-secret-test-secret-test-secret-test',
  ENTOURAGE_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
  ENTOURAGE_LOG_LEVEL: 'silent',
  ENTOURAGE_LOG_PRETTY: false,
  ENTOURAGE_RATE_LIMIT_PER_MINUTE: 0,
  ENTOURAGE_LOGIN_RATE_LIMIT_PER_MINUTE: 0,
  ENTOURAGE_RUN_BACKOFF_SECONDS: 0,
};

/** The whole service, listening on a free port, on a database of its own (or on `DATABASE_URL` of `overrides`). */
export async function startTestService(overrides: Partial<ResolvedSettings> = {}): Promise<TestService> {
  const database = overrides.DATABASE_URL === undefined ? await createTestDatabase() : null;
  const settings = Object.assign(
    new ResolvedSettings(),
    TEST_SETTINGS,
    { DATABASE_URL: database?.url },
    overrides,
  );
  const module = await Test.createTestingModule({ imports: [AppModule.register(settings)] }).compile();
  const app = configureApp(
    module.createNestApplication<NestExpressApplication>({
      bodyParser: false,
      logger: false,
      abortOnError: false,
    }),
  );
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    app,
    db: app.get(DataSource),
    url,
    settings,
    http: supertest(url),
    close: async () => {
      await app.close();
      await database?.drop();
    },
  };
}
