import { DomainError } from '../../errors/domain-error.js';
import { type ApiKeyScope } from './api-key.entity.js';
import { type Identity } from './identity.js';

/** @throws DomainError `organization_not_found`: another tenant's organization does not exist. */
export function assertReaches(identity: Identity, org_id: string): void {
  if (!identity.org_ids.includes(org_id))
    throw new DomainError('organization_not_found', 'Organization not found');
}

/** Refuses agents' keys: an agent works on tasks and changes nothing about its organization. */
export function assertNotAgent(identity: Identity): void {
  if (identity.agent_id !== undefined)
    throw new DomainError('forbidden', "An agent's key cannot manage its organization");
}

/**
 * May change what the organization consists of: teams, agents, repositories, webhooks. Owners and admins may, and keys
 * of the organization that are no agent's (whether they may write at all is the guard's question).
 */
export function assertMayManage(identity: Identity, org_id: string): void {
  assertReaches(identity, org_id);
  assertNotAgent(identity);
  if (identity.user_id === undefined) return;
  if (identity.roles[org_id] !== 'owner' && identity.roles[org_id] !== 'admin')
    throw new DomainError('forbidden', 'Only owners and admins of the organization may do this');
}

/** May do what `assertMayManage` allows in at least one organization. */
export function assertManagesAny(identity: Identity): void {
  const [first] = identity.org_ids;
  const managed = identity.org_ids.find((id) => ['owner', 'admin'].includes(identity.roles[id] ?? ''));
  const org_id = managed ?? first;
  if (org_id === undefined) throw new DomainError('forbidden', 'Only members of an organization may do this');
  assertMayManage(identity, org_id);
}

/** May change who gets into the organization: members and keys. As `assertMayManage`, but a key needs scope `all`. */
export function assertMayAdminister(identity: Identity, org_id: string): void {
  assertMayManage(identity, org_id);
  if (!hasScope(identity, 'all')) throw insufficientScope('all');
}

/** May do what only an owner may: touch another owner, make one. No key may. */
export function assertIsOwner(identity: Identity, org_id: string): void {
  assertReaches(identity, org_id);
  if (identity.roles[org_id] !== 'owner')
    throw new DomainError('forbidden', 'Only an owner of the organization may do this');
}

/** Refuses an agent's key that speaks for another agent; users and the organization's own keys may act for each. */
export function assertActsFor(identity: Identity, agent_id: string): void {
  if (identity.agent_id !== undefined && identity.agent_id !== agent_id)
    throw new DomainError('forbidden', "An agent's key acts only as its own agent");
}

export const hasScope = (identity: Identity, scope: ApiKeyScope): boolean =>
  identity.scopes.includes('all') || identity.scopes.includes(scope);

const neededScope = (method: string): ApiKeyScope =>
  method === 'GET' || method === 'HEAD' ? 'read' : 'write';

/** Reading needs `read` or `write`, everything else `write`; routes for agents also serve the scope `agent`. */
export const mayUse = (identity: Identity, method: string, agentRoute: boolean): boolean =>
  hasScope(identity, neededScope(method)) ||
  hasScope(identity, 'write') ||
  (agentRoute && hasScope(identity, 'agent'));

/** @throws DomainError `insufficient_scope` for what `mayUse` denies. */
export function assertScope(identity: Identity, method: string, agentRoute: boolean): void {
  if (!mayUse(identity, method, agentRoute)) throw insufficientScope(neededScope(method));
}

const insufficientScope = (needed: ApiKeyScope): DomainError =>
  new DomainError('insufficient_scope', `The API key lacks the scope '${needed}'`);
