import { createHash, randomBytes } from 'node:crypto';
import { type DataSource } from 'typeorm';
import { newId } from '../../src/database/new-id.js';
import { Agent, DEFAULT_MODEL } from '../../src/modules/agents/agent.entity.js';
import { ApiKey, type ApiKeyScope } from '../../src/modules/auth/api-key.entity.js';
import { User } from '../../src/modules/auth/user.entity.js';
import { Membership, type MemberRole } from '../../src/modules/organizations/membership.entity.js';
import { Organization } from '../../src/modules/organizations/organization.entity.js';
import { Team } from '../../src/modules/teams/team.entity.js';

const suffix = (): string => randomBytes(4).toString('hex');

export const makeUser = (db: DataSource, values: Partial<User> = {}): Promise<User> =>
  db.getRepository(User).save({
    id: newId(),
    email: `user-${suffix()}@example.com`,
    name: 'Test User',
    password_hash: 'none',
    ...values,
  });

export const makeOrganization = (db: DataSource, values: Partial<Organization> = {}): Promise<Organization> =>
  db.getRepository(Organization).save({ id: newId(), name: 'Acme', slug: `acme-${suffix()}`, ...values });

export const makeMembership = (
  db: DataSource,
  org_id: string,
  user_id: string,
  role: MemberRole = 'owner',
): Promise<Membership> => db.getRepository(Membership).save({ org_id, user_id, role });

export const makeTeam = (db: DataSource, org_id: string, values: Partial<Team> = {}): Promise<Team> =>
  db.getRepository(Team).save({ id: newId(), org_id, name: 'Core', slug: `core-${suffix()}`, ...values });

export const makeAgent = (
  db: DataSource,
  team: Pick<Team, 'id' | 'org_id'>,
  values: Partial<Agent> = {},
): Promise<Agent> =>
  db.getRepository(Agent).save({
    id: newId(),
    org_id: team.org_id,
    team_id: team.id,
    name: `agent-${suffix()}`,
    role: 'engineer',
    model: DEFAULT_MODEL,
    ...values,
  } as Agent);

/** A key and its plain text, for `X-API-Key`. */
export async function makeApiKey(
  db: DataSource,
  org_id: string,
  scopes: ApiKeyScope[] = ['all'],
  values: Partial<ApiKey> = {},
): Promise<{ key: string; row: ApiKey }> {
  const key = `oc_${randomBytes(32).toString('base64url')}`;
  const row = await db.getRepository(ApiKey).save({
    id: newId(),
    org_id,
    agent_id: null,
    name: 'test',
    prefix: key.slice(0, 10),
    key_hash: createHash('sha256').update(key).digest(),
    scopes,
    ...values,
  });
  return { key, row };
}

/** An organization with a team, an idle engineer and a key that may do everything: enough for most suites. */
export async function makeWorkspace(
  db: DataSource,
): Promise<{ org: Organization; team: Team; agent: Agent; key: string }> {
  const org = await makeOrganization(db);
  const team = await makeTeam(db, org.id);
  const agent = await makeAgent(db, team);
  const { key } = await makeApiKey(db, org.id);
  return { org, team, agent, key };
}
