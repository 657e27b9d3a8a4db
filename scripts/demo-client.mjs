// What both demos do: talk to the API as a client does, make accounts, and send an issue as GitHub sends it.
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const began = Date.now();
export const say = (line) =>
  console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${line}`);

/** The API, called with these credentials; anything but 2xx ends the demo. */
export function client(url, credentials = {}) {
  const call = async (path, options) => {
    const { method = 'GET' } = options;
    const answer = await fetch(`${url}/api/v1${path}`, options);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  };
  /** `body` is sent as it is when it is text, as JSON otherwise. */
  const send =
    (method) =>
    (path, body, headers = {}) =>
      call(path, {
        method,
        headers: { 'Content-Type': 'application/json', ...credentials, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
  return {
    get: (path) => call(path, { headers: credentials }),
    post: send('POST'),
    put: send('PUT'),
    patch: send('PATCH'),
  };
}

/** Registers, logs in, and makes an organization with a team and a key. */
export async function makeTeam(url) {
  const api = client(url);
  const mark = randomBytes(4).toString('hex');
  const account = {
    email: `demo-${mark}@example.com`,
    name: 'Demo',
    password: randomBytes(12).toString('hex'),
  };
  await api.post('/auth/register', account);
  const { access_token } = await api.post('/auth/login', account);
  const user = client(url, { Authorization: `Bearer ${access_token}` });
  say(`registered and logged in as ${account.email}`);
  const org = await user.post('/orgs', { name: 'Demo', slug: `demo-${mark}` });
  const team = await user.post(`/orgs/${org.id}/teams`, { name: 'Keepers', slug: 'keepers' });
  say(`organization ${org.slug} with team ${team.slug}, which has its manager agent already`);
  const { key, prefix } = await user.post(`/auth/orgs/${org.id}/api-keys`, { name: 'demo' });
  say(`API key ${prefix}…`);
  return { org, team, user, api: client(url, { 'X-API-Key': key }) };
}

/** Sends GitHub's own kind of request: these bytes, signed. */
export async function sendIssue(api, webhook) {
  const body = await readFile(
    join(import.meta.dirname, '../test/fixtures/github/issues.opened.json'),
    'utf8',
  );
  const signature = createHmac('sha256', webhook.secret).update(body).digest('hex');
  const guid = randomUUID();
  const answer = await api.post(`/webhooks/${webhook.id}/receive`, body, {
    'X-GitHub-Event': 'issues',
    'X-GitHub-Delivery': guid,
    'X-Hub-Signature-256': `sha256=${signature}`,
    'User-Agent': 'GitHub-Hookshot/demo',
  });
  const { title, labels } = JSON.parse(body).issue;
  say(
    `sent issues.opened "${title}" [${labels.map((label) => label.name).join(', ')}], ${body.length} bytes, signed`,
  );
  for (const action of answer.actions) say(`  → ${action}`);
  return answer.delivery_id;
}
