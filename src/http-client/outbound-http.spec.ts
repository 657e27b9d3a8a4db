import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo, type Socket } from 'node:net';
import { ResolvedSettings } from '../config/settings.js';
import { type OutboundError } from './outbound-error.js';
import { OutboundHttp } from './outbound-http.js';
import { signRequest } from './sign-request.js';

describe('OutboundHttp', () => {
  let server: Server;
  let port: number;
  let seen: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
  const used = new Set<Socket>();
  const clients: OutboundHttp[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { socket } = request;
        if (request.url === '/once') setImmediate(() => used.add(socket));
        seen.push({ headers: request.headers, body: Buffer.concat(chunks) });
        if (request.url === '/moved')
          response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end();
        else if (request.url === '/to-metadata')
          response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
        else if (request.url === '/broken') {
          response.writeHead(201, { 'content-length': '100' }).write('part');
          setTimeout(() => request.socket.destroy(), 50);
        } else if (request.url === '/endless') {
          const more = setInterval(() => response.write('x'.repeat(4096)), 1);
          response.on('close', () => clearInterval(more));
        } else if (request.url === '/reset') request.socket.destroy();
        else if (request.url === '/once' && used.has(request.socket)) request.socket.destroy();
        else response.writeHead(202, { 'x-answer': '1' }).end('taken\0');
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.onApplicationShutdown()));
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  const client = (...networks: string[]): OutboundHttp => {
    const made = new OutboundHttp(
      Object.assign(new ResolvedSettings(), { ENTOURAGE_OUTBOUND_ALLOW_CIDRS: networks }),
    );
    clients.push(made);
    return made;
  };

  it('posts the bytes it was given and reads the answer', async () => {
    seen = [];
    const answer = await client('127.0.0.0/8').post(
      `http://127.0.0.1:${port}/`,
      { a: 'b' },
      Buffer.from('{"ü":1}'),
    );
    expect(answer).toMatchObject({
      status: 202,
      body: 'taken',
      truncated: false,
      headers: { 'x-answer': '1' },
    });
    expect(seen).toEqual([
      { headers: expect.objectContaining({ a: 'b', connection: 'close' }), body: Buffer.from('{"ü":1}') },
    ]);
  });

  it.each([
    ['127.0.0.1'],
    ['127.1'],
    ['0x7f000001'],
    ['2130706433'],
    ['0177.0.0.1'],
    ['[::ffff:7f00:1]'],
    ['[::1]'],
    ['localhost'],
    ['１２７.0.0.1'],
    ['169.254.169.254'],
  ])('refuses to call %s', async (host) => {
    seen = [];
    const refused = expect.objectContaining({ code: 'address_refused' });
    await expect(client().post(`http://${host}:${port}/`, {}, Buffer.from('x'))).rejects.toEqual(refused);
    await expect(client().check(`http://${host}:${port}/`)).rejects.toEqual(refused);
    expect(seen).toEqual([]);
  });

  it('calls a name whose addresses are allowed', async () => {
    const answer = await client('127.0.0.0/8', '::1/128').post(
      `http://localhost:${port}/`,
      {},
      Buffer.from(''),
    );
    expect(answer.status).toBe(202);
  });

  it.each(['ftp://example.com/', 'nonsense', 'http://user:pass@example.com/', 'file:///etc/passwd'])(
    'refuses the URL %s',
    async (url) => {
      await expect(client().check(url)).rejects.toMatchObject({ code: 'invalid_url' });
    },
  );

  it('does not follow redirects', async () => {
    seen = [];
    const answer = await client('127.0.0.0/8').post(`http://127.0.0.1:${port}/moved`, {}, Buffer.from(''));
    expect(answer.status).toBe(302);
    expect(seen.length).toBe(1);
  });

  it('reads no more than 16 KiB', async () => {
    const answer = await client('127.0.0.0/8').post(`http://127.0.0.1:${port}/endless`, {}, Buffer.from(''));
    expect(answer.body.length).toBe(16 * 1024);
    expect(answer.truncated).toBe(true);
  });

  it('has an answer once the status has come, even if the body breaks off', async () => {
    const answer = await client('127.0.0.0/8').post(`http://127.0.0.1:${port}/broken`, {}, Buffer.from(''));
    expect(answer).toMatchObject({ status: 201, body: 'part', truncated: true });
  });

  it('gives up when it is told to, and in the time it is given', async () => {
    const slow = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((done) => slow.once('listening', done));
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`;
    const timeout = expect.objectContaining({ code: 'timeout' });
    const allowed = client('127.0.0.0/8');
    await expect(allowed.post(url, {}, Buffer.from(''), { timeout_ms: 50 })).rejects.toEqual(timeout);
    const signal = AbortSignal.timeout(50);
    await expect(allowed.post(url, {}, Buffer.from(''), { signal })).rejects.toEqual(timeout);
    slow.closeAllConnections();
    await new Promise((done) => slow.close(done));
  });

  it('judges each hop of a fetch that is redirected', async () => {
    const allowed = client('127.0.0.0/8');
    const answer = await allowed.fetch(`http://127.0.0.1:${port}/moved`);
    expect([answer.status, answer.redirected]).toEqual([202, true]);
    await expect(allowed.fetch(`http://127.0.0.1:${port}/to-metadata`)).rejects.toMatchObject({
      code: 'address_refused',
    });
  });

  it('refuses ports of other protocols, and plain http where the operator wants https', async () => {
    const invalid = expect.objectContaining({ code: 'invalid_url' });
    await expect(client().check('http://1.1.1.1:25/')).rejects.toEqual(invalid);
    const strict = new OutboundHttp(
      Object.assign(new ResolvedSettings(), { ENTOURAGE_OUTBOUND_HTTPS_ONLY: true }),
    );
    clients.push(strict);
    await expect(strict.check('http://1.1.1.1/')).rejects.toEqual(invalid);
    await expect(strict.check('https://1.1.1.1/')).resolves.toBeUndefined();
  });

  it('says why there was no answer', async () => {
    const allowed = client('127.0.0.0/8');
    const { port: closed } = await closedPort();
    await expect(allowed.post(`http://127.0.0.1:${closed}/`, {}, Buffer.from(''))).rejects.toMatchObject({
      code: 'connect',
    });
    await expect(allowed.post(`http://127.0.0.1:${port}/reset`, {}, Buffer.from(''))).rejects.toMatchObject({
      code: 'reset',
    });
    await expect(allowed.post('http://name.invalid/', {}, Buffer.from(''))).rejects.toMatchObject({
      code: 'dns',
    });
    await expect(allowed.post(`https://127.0.0.1:${port}/`, {}, Buffer.from(''))).rejects.toMatchObject({
      code: expect.stringMatching(/tls|protocol|reset/),
    });
  });

  it('calls once more where a connection that was kept is dead, and only then', async () => {
    const kept = client('127.0.0.0/8');
    const call = async (path: string, keep_alive: boolean): Promise<unknown> =>
      kept
        .post(`http://127.0.0.1:${port}${path}`, {}, Buffer.from(path), { keep_alive })
        .catch((error: unknown) => (error as OutboundError).code);
    seen = [];
    for (let calls = 0; calls < 6; calls += 1)
      expect(await call('/once', true)).toMatchObject({ status: 202, body: 'taken' });
    expect(seen.length).toBeGreaterThan(6);
    seen = [];
    expect(await call('/reset', false)).toBe('reset');
    expect(seen).toHaveLength(1);
    expect(await call('/reset', true)).toBe('reset');
    expect(seen).toHaveLength(3);
  });

  it('refuses settings that are no networks', () => {
    expect(() => client('10.0.0.1')).toThrow('ENTOURAGE_OUTBOUND_ALLOW_CIDRS');
  });
});

describe('signRequest', () => {
  it('signs the bytes in both ways', () => {
    const key = Buffer.alloc(32, 3);
    const secret = `whsec_${key.toString('base64')}`;
    const body = Buffer.from('{"a":1}');
    const headers = signRequest(
      { id: 'm1', event: 'run.assigned', attempt: 1, body, timestamp: 1700000000 },
      secret,
    );
    expect(headers['x-entourage-signature']).toBe(
      `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    );
    expect(headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', key).update('m1.1700000000.{"a":1}').digest('base64')}`,
    );
  });
});

async function closedPort(): Promise<AddressInfo> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const address = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return address;
}
