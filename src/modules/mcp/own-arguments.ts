import { type Identity } from '../auth/identity.js';

/** What an agent's key says of its agent, so that the agent need not. */
const ownArguments = ({ agent_id, team_id }: Identity): Record<string, unknown> => ({
  agent_id,
  team_id,
  sender_id: agent_id,
  sender_type: 'agent',
  author_id: agent_id,
});

export const OWN_ARGUMENTS: readonly string[] = [
  'agent_id',
  'team_id',
  'sender_id',
  'sender_type',
  'author_id',
];

/** The arguments of an agent's call with what was left out, where the tool has such an argument and asks for it. */
export function withOwnArguments(
  identity: Identity,
  required: string[],
  args: Record<string, unknown>,
): Record<string, unknown> {
  if (identity.agent_id === undefined) return args;
  const own = Object.entries(ownArguments(identity)).filter(([name]) => required.includes(name));
  return { ...Object.fromEntries(own), ...args };
}
