import { describe, expect, it } from '@jest/globals';
import { QueryFailedError } from 'typeorm';
import { withRequestContext } from '../http/request-context.js';
import { createLogger, loggedError } from './create-logger.js';

async function capture(work: (logger: Awaited<ReturnType<typeof createLogger>>) => void): Promise<unknown[]> {
  const lines: string[] = [];
  const settings = { ENTOURAGE_LOG_LEVEL: 'info', ENTOURAGE_LOG_PRETTY: false } as const;
  work(await createLogger(settings, { write: (line) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as unknown);
}

describe('the log', () => {
  it('names the request and what it belongs to in every line', async () => {
    const lines = await capture((logger) => {
      withRequestContext({ request_id: 'r-1', trace_id: 't-1', correlation_id: 'c-1' }, () =>
        logger.info('inside'),
      );
      logger.info('outside');
    });
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'info',
        msg: 'inside',
        request_id: 'r-1',
        trace_id: 't-1',
        correlation_id: 'c-1',
      }),
      expect.not.objectContaining({ request_id: expect.anything() }),
    ]);
  });

  it('hides credentials, should a request be logged whole', async () => {
    const headers = { authorization: 'Bearer hush', 'x-api-key': 'oc_hush', cookie: 'hush', accept: 'a' };
    const lines = await capture((logger) =>
      logger.info({ headers, req: { headers }, password: 'hush', body: { password: 'hush' } }, 'x'),
    );
    expect(JSON.stringify(lines)).not.toContain('hush');
    expect(lines).toEqual([expect.objectContaining({ headers: expect.objectContaining({ accept: 'a' }) })]);
  });

  it('keeps the parameters of a failed query to itself', async () => {
    const cause = Object.assign(new Error('duplicate key'), {
      code: '23505',
      detail: 'Key (email)=(ada@x) exists',
    });
    const lines = await capture((logger) =>
      logger.error({ err: new QueryFailedError('INSERT …', ['ada@x', 'hash'], cause) }, 'unexpected error'),
    );
    expect(JSON.stringify(lines)).not.toMatch(/ada@x|hash/);
    expect(lines).toEqual([
      expect.objectContaining({ err: expect.objectContaining({ message: 'duplicate key', code: '23505' }) }),
    ]);
  });

  it("leaves Nest's list of routes to the debug level", async () => {
    const lines = await capture((logger) => {
      logger.info({ context: 'RouterExplorer' }, 'Mapped {/a, GET} route');
      logger.warn({ context: 'RouterExplorer' }, 'a warning');
      logger.info({ context: 'NestApplication' }, 'started');
    });
    expect(lines).toEqual([
      expect.objectContaining({ msg: 'a warning' }),
      expect.objectContaining({ msg: 'started' }),
    ]);
  });

  it('follows causes, but not for ever', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(loggedError(error).cause?.cause?.message).toBe('loop');
    expect(loggedError('text')).toEqual({ type: 'string', message: 'text' });
  });
});
