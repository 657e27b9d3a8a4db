import { describe, expect, it } from '@jest/globals';
import { type HttpAdapterHost } from '@nestjs/core';
import { createServer } from 'node:http';
import { ResolvedSettings } from '../config/settings.js';
import { ServiceAddress } from './service-address.js';

describe('the address of the service', () => {
  it('is waited for until it listens, and known for as long as it shuts down', async () => {
    const server = createServer();
    const host = { httpAdapter: { getHttpServer: () => server } } as unknown as HttpAdapterHost;
    const address = new ServiceAddress(new ResolvedSettings(), host);
    address.onApplicationBootstrap();
    server.listen(0, '127.0.0.1');
    const url = await address.url();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);

    const later = new ServiceAddress(new ResolvedSettings(), host);
    later.onApplicationBootstrap();
    await new Promise((done) => server.close(done));
    expect(await later.url()).toBe(url);
  });
});
