import { type FindOptionsWhere, In } from 'typeorm';
import { type MemberRole } from '../organizations/membership.entity.js';
import { type ApiKeyScope } from './api-key.entity.js';

/** Who did something, as the audit trail keeps it. */
export interface Actor {
  type: 'user' | 'agent' | 'api_key' | 'github' | 'system';
  /** User, agent or API key id; a GitHub login; the part of the system. */
  id: string;
  name?: string;
}

/** Who is calling, authenticated, with everything that decides what they reach. */
export interface Identity {
  actor: Actor;
  /** Organizations the caller reaches; every query is limited to them. */
  org_ids: string[];
  /** The caller's role in each of them; an API key has none. */
  roles: Record<string, MemberRole>;
  /** `['all']` for a user. */
  scopes: ApiKeyScope[];
  user_id?: string;
  api_key_id?: string;
  /** Set for an agent's key: it reaches this team only and acts only as this agent. */
  agent_id?: string;
  team_id?: string;
}

/**
 * The condition every query over tenants' rows carries.
 * @example repository.findOneBy({ id, ...reachable(identity) })
 */
export const reachable = (
  identity: Identity,
): FindOptionsWhere<{ org_id: string; team_id: string }> & { org_id: ReturnType<typeof In<string>> } => ({
  org_id: In(identity.org_ids),
  ...(identity.team_id === undefined ? {} : { team_id: identity.team_id }),
});

/** As `reachable`, for rows that belong to an organization and not to one of its teams. */
export const inOrganization = (identity: Identity): { org_id: ReturnType<typeof In<string>> } => ({
  org_id: In(identity.org_ids),
});

export const systemActor = (part: string): Actor => ({ type: 'system', id: part });
