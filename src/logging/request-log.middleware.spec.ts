import { describe, expect, it } from '@jest/globals';
import express from 'express';
import supertest from 'supertest';
import { requestHeaders } from '../http/request-headers.middleware.js';
import { createLogger } from './create-logger.js';
import { requestLog } from './request-log.middleware.js';

type Line = Record<string, unknown>;

async function logOf(
  level: 'info' | 'debug',
  path: string,
  headers: Record<string, string> = {},
): Promise<Line[]> {
  const lines: Line[] = [];
  const logger = await createLogger(
    { ENTOURAGE_LOG_LEVEL: level, ENTOURAGE_LOG_PRETTY: false },
    { write: (line) => void lines.push(JSON.parse(line) as Line) },
  );
  const app = express();
  app.use(requestHeaders, requestLog(logger));
  app.get('/broken', (_, response) => void response.status(503).end());
  app.use((_, response) => void response.json({}));
  await supertest(app).get(path).set(headers);
  return lines;
}

describe('the request log', () => {
  it('writes one line without query, headers and body', async () => {
    const lines = await logOf('info', '/api/v1/orgs?token=hush', {
      'X-Request-ID': 'r-1',
      'X-API-Key': 'oc_hush',
      Authorization: 'Bearer hush',
      'X-Hub-Signature-256': 'sha256=hush',
    });
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'info',
        msg: 'request',
        method: 'GET',
        path: '/api/v1/orgs',
        status: 200,
        request_id: 'r-1',
        duration_ms: expect.any(Number),
      }),
    ]);
    expect(JSON.stringify(lines)).not.toContain('hush');
  });

  it.each(['/metrics', '/api/v1/health', '/api/v1/health/live'])(
    'mentions %s at debug only',
    async (path) => {
      expect(await logOf('info', path)).toEqual([]);
      expect(await logOf('debug', path)).toHaveLength(1);
    },
  );

  it('calls a server fault an error', async () => {
    expect(await logOf('info', '/broken')).toEqual([
      expect.objectContaining({ level: 'error', status: 503 }),
    ]);
  });
});
