import { type Identity } from '../auth/identity.js';
import { type ReviewerType } from './review.entity.js';

/** Who gives a verdict or comments: the authenticated caller, and whether that is an agent. */
export interface Speaker {
  id: string | null;
  type: ReviewerType;
  /** The agents it is, or says it speaks for. */
  agent_ids: string[];
  /** What the body said. */
  claimed: Record<string, string> | null;
}

/**
 * A claim is never believed where it would give more: whoever says that an agent speaks is counted as an agent, and an
 * agent's key is one whatever it says.
 */
export function speakerOf(
  identity: Identity,
  name: 'reviewer' | 'author',
  claim: { id?: string | null; type?: ReviewerType | null },
): Speaker {
  const { agent_id, user_id, api_key_id } = identity;
  const isAgent = agent_id !== undefined || claim.type === 'agent';
  const agents = [agent_id, ...(claim.type === 'agent' ? [claim.id?.toLowerCase()] : [])];
  const claimed = {
    ...(claim.id ? { [`${name}_id`]: claim.id } : {}),
    ...(claim.type ? { [`${name}_type`]: claim.type } : {}),
  };
  return {
    id: agent_id ?? user_id ?? api_key_id ?? null,
    type: isAgent ? 'agent' : 'user',
    agent_ids: agents.filter((id) => id !== undefined),
    claimed: Object.keys(claimed).length === 0 ? null : claimed,
  };
}
