import { randomUUID } from 'node:crypto';

const AT_ONCE = 16;

/**
 * An organization, made through the API as a user makes it.
 * @returns its id, a key that may do everything in it, and `post`, which calls the API with it.
 */
export async function makeOrganization(url, slug = 'bench') {
  const call = async (path, body, headers) => {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const account = { email: `${slug}@example.com`, name: 'Bench', password: randomUUID() };
  await call('/auth/register', account);
  const { access_token } = await call('/auth/login', account);
  const authorization = { authorization: `Bearer ${access_token}` };
  const org = await call('/orgs', { name: slug, slug }, authorization);
  const { key } = await call(`/auth/orgs/${org.id}/api-keys`, { name: 'bench' }, authorization);
  return { url, org_id: org.id, key, post: (path, body) => call(path, body, { 'x-api-key': key }) };
}

/** A team of engineers, each made with `agent`. */
export async function makeTeam({ org_id, post }, { slug = 'bench', agents = 4, agent = {} } = {}) {
  const team = await post(`/orgs/${org_id}/teams`, { name: slug, slug });
  for (let made = 0; made < agents; made += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, agents - made) }, (_, index) =>
        post(`/teams/${team.id}/agents`, { name: `agent-${made + index}`, ...agent }),
      ),
    );
  return { org_id, team_id: team.id };
}

/** An organization with one team. */
export async function makeWorkspace(url, team = {}) {
  const organization = await makeOrganization(url);
  return { ...organization, ...(await makeTeam(organization, team)) };
}

/** A webhook whose issues and pull requests become tasks that are assigned: the full path. */
export async function makeWebhook({ url, org_id, team_id, post }) {
  const webhook = await post('/webhooks', {
    org_id,
    team_id,
    name: 'bench',
    // A team's manager, which is there from its beginning, asks for its work itself: it would keep what it is given.
    config: { auto_assign: true, auto_assign_role: 'engineer' },
    events: ['issues', 'pull_request', 'push'],
  });
  return {
    id: webhook.id,
    target: `${url}/api/v1/webhooks/${webhook.id}/receive`,
    secret: webhook.secret,
  };
}
