import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { ResolvedSettings } from '../../src/config/settings.js';
import { OutboundHttp } from '../../src/http-client/outbound-http.js';
import { createClient, type GithubClient } from '../../src/modules/github/client/create-client.js';
import { type GithubError } from '../../src/modules/github/client/github-error.js';
import { TOKEN } from '../factories/github.js';
import { GithubServer } from '../support/github-server.js';

const COMMENT = 'POST /repos/acme/web/issues/1/comments';

describe('a client of GitHub', () => {
  let github: GithubServer;
  let outbound: OutboundHttp;
  let errors: GithubError[] = [];
  beforeAll(async () => {
    github = await GithubServer.start();
    const settings = Object.assign(new ResolvedSettings(), {
      ENTOURAGE_OUTBOUND_ALLOW_CIDRS: ['127.0.0.0/8'],
    });
    outbound = new OutboundHttp(settings);
  });
  afterAll(async () => {
    await outbound.onApplicationShutdown();
    await github.close();
  });

  const client = (base_url = github.url): GithubClient => {
    errors = [];
    const onError = (error: GithubError): Promise<void> => {
      errors.push(error);
      return Promise.resolve();
    };
    const credential = { org_id: randomUUID(), revision: randomUUID(), base_url, token: TOKEN };
    return createClient(credential, outbound, { spacing: true, onError });
  };

  it('leaves three seconds between what notifies people, for one organization and not for another', async () => {
    const [one, other] = [client(), client()];
    const began = Date.now();
    await one.octokit.request(COMMENT, { body: 'a' });
    await other.octokit.request(COMMENT, { body: 'b' });
    expect(Date.now() - began).toBeLessThan(1_000);
    await one.octokit.request(COMMENT, { body: 'c' });
    expect(Date.now() - began).toBeGreaterThan(2_900);
  });

  it.each(['secondary', 'primary'] as const)(
    'gives a %s rate limit back at once, and calls once',
    async (kind) => {
      const { octokit } = client();
      const { length } = github.calls;
      github.fail({ matches: () => true, kind, retry_after: 300 });
      const began = Date.now();
      await expect(octokit.request('GET /user')).rejects.toMatchObject({ kind: 'rate_limited' });
      expect(Date.now() - began).toBeLessThan(1_000);
      expect(github.calls).toHaveLength(length + 1);
      expect(errors).toHaveLength(1);
      expect(errors[0]?.wait_seconds).toBeGreaterThan(298);
    },
  );

  it('never repeats a call by itself', async () => {
    const { octokit } = client();
    const { length } = github.calls;
    github.fail({ matches: () => true, kind: 'status', status: 502 });
    await expect(octokit.request(COMMENT, { body: 'a' })).rejects.toMatchObject({ kind: 'unavailable' });
    github.fail({ matches: () => true, kind: 'reset-after' });
    await expect(octokit.request(COMMENT, { body: 'a' })).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('GitHub gave no answer'),
    });
    expect(github.calls).toHaveLength(length + 2);
  });

  it('follows a repository to its new name, with the same call, and to no other server', async () => {
    const { octokit } = client();
    github.renamed.set('acme/old', 'acme/new');
    await octokit.request('POST /repos/acme/old/issues/1/comments', { body: 'moved' });
    expect(github.commentsOf('acme/new', 1).map(({ body }) => body)).toEqual(['moved']);
    github.renamed.set('acme/loop', 'acme/loop');
    await expect(octokit.request('GET /repos/acme/loop/hooks/1/deliveries')).rejects.toMatchObject({
      message: 'GitHub gave no answer: There are too many redirects',
    });
    const other = createServer((_, response) => response.writeHead(307, { location: github.url }).end());
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const { length } = github.calls;
    const { port } = other.address() as AddressInfo;
    await expect(client(`http://127.0.0.1:${port}`).octokit.request('GET /user')).rejects.toMatchObject({
      message: 'GitHub gave no answer: The server redirects to another one',
    });
    expect(github.calls).toHaveLength(length);
    await new Promise((done) => other.close(done));
  });

  it('judges the address at every call, not only when it was saved', async () => {
    const strict = new OutboundHttp(new ResolvedSettings());
    const { octokit } = createClient(
      { org_id: randomUUID(), revision: randomUUID(), base_url: github.url, token: TOKEN },
      strict,
      { spacing: true, onError: () => Promise.resolve() },
    );
    const { length } = github.calls;
    await expect(octokit.request('GET /user')).rejects.toMatchObject({
      message: expect.stringContaining('private address'),
    });
    expect(github.calls).toHaveLength(length);
    await strict.onApplicationShutdown();
  });
});
