import { describe, expect, it } from '@jest/globals';
import { type ApiKeyScope } from './api-key.entity.js';
import { type Identity } from './identity.js';
import {
  assertActsFor,
  assertIsOwner,
  assertMayAdminister,
  assertMayManage,
  assertReaches,
  assertScope,
} from './permissions.js';

const user = (role: 'owner' | 'admin' | 'member'): Identity => ({
  actor: { type: 'user', id: 'u' },
  org_ids: ['o'],
  roles: { o: role },
  scopes: ['all'],
  user_id: 'u',
});
const key = (scopes: ApiKeyScope[], agent?: string): Identity => ({
  actor: { type: 'api_key', id: 'k' },
  org_ids: ['o'],
  roles: {},
  scopes,
  api_key_id: 'k',
  ...(agent === undefined ? {} : { agent_id: agent, team_id: 't' }),
});
const code = (work: () => void): string => {
  try {
    work();
    return 'allowed';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('scopes', () => {
  it.each<[ApiKeyScope[], string, boolean, string]>([
    [['all'], 'DELETE', false, 'allowed'],
    [['read'], 'GET', false, 'allowed'],
    [['read'], 'HEAD', false, 'allowed'],
    [['read'], 'POST', false, 'insufficient_scope'],
    [['read'], 'POST', true, 'insufficient_scope'],
    [['write'], 'GET', false, 'allowed'],
    [['write'], 'PATCH', false, 'allowed'],
    [['agent'], 'GET', false, 'insufficient_scope'],
    [['agent'], 'GET', true, 'allowed'],
    [['agent'], 'POST', true, 'allowed'],
    [['agent'], 'POST', false, 'insufficient_scope'],
    [['read', 'agent'], 'GET', false, 'allowed'],
    [['read', 'agent'], 'POST', true, 'allowed'],
  ])('%j %s (agent route: %s): %s', (scopes, method, agentRoute, outcome) => {
    expect(code(() => assertScope(key(scopes), method, agentRoute))).toBe(outcome);
  });
});

describe('roles', () => {
  const callers: [string, Identity][] = [
    ['owner', user('owner')],
    ['admin', user('admin')],
    ['member', user('member')],
    ['key all', key(['all'])],
    ['key write', key(['write'])],
    ['agent', key(['all'], 'a')],
  ];
  const outcomes = (check: (identity: Identity) => void): Record<string, string> =>
    Object.fromEntries(callers.map(([name, identity]) => [name, code(() => check(identity))]));

  it('manage: owners, admins and keys of the organization', () => {
    expect(outcomes((identity) => assertMayManage(identity, 'o'))).toEqual({
      owner: 'allowed',
      admin: 'allowed',
      member: 'forbidden',
      'key all': 'allowed',
      'key write': 'allowed',
      agent: 'forbidden',
    });
  });

  it('administer: a key needs all', () => {
    expect(outcomes((identity) => assertMayAdminister(identity, 'o'))).toMatchObject({
      admin: 'allowed',
      'key all': 'allowed',
      'key write': 'insufficient_scope',
    });
  });

  it('owner: owners only', () => {
    expect(outcomes((identity) => assertIsOwner(identity, 'o'))).toEqual({
      owner: 'allowed',
      admin: 'forbidden',
      member: 'forbidden',
      'key all': 'forbidden',
      'key write': 'forbidden',
      agent: 'forbidden',
    });
  });

  it('another organization does not exist, whatever the role', () => {
    for (const check of [assertReaches, assertMayManage, assertMayAdminister, assertIsOwner])
      expect(code(() => check(user('owner'), 'other'))).toBe('organization_not_found');
  });

  it('an agent acts only as itself', () => {
    expect(code(() => assertActsFor(key(['agent'], 'a'), 'b'))).toBe('forbidden');
    expect(code(() => assertActsFor(key(['agent'], 'a'), 'a'))).toBe('allowed');
    expect(code(() => assertActsFor(user('member'), 'b'))).toBe('allowed');
  });
});
