import { newSecret } from '../../secrets/new-secret.js';
import { type SecretBox } from '../../secrets/secret-box.js';
import { type Agent, type AgentRuntime } from './agent.entity.js';
import { checkRuntimeConfig } from './runtime-config.js';

export const runtimeSecretPurpose = (agent_id: string): string => `agent:${agent_id}:runtime`;

/**
 * Gives the agent the runtime that is asked for, if any.
 * @returns the new signing secret, in plain, if the agent has become one with an `http` runtime.
 */
export function assignRuntime(
  agent: Agent,
  asked: { runtime?: AgentRuntime | null; runtime_config?: Record<string, unknown> | null },
  secrets: SecretBox,
): string | null {
  const runtime = asked.runtime ?? agent.runtime;
  const isNew = runtime !== agent.runtime;
  if (!isNew && !asked.runtime_config) return null;
  const config = checkRuntimeConfig(runtime, asked.runtime_config ?? (isNew ? {} : agent.runtime_config));
  agent.runtime = runtime;
  agent.runtime_config = config;
  if (!isNew) return null;
  const secret = runtime === 'http' ? newSecret() : null;
  agent.runtime_secret = secret === null ? null : secrets.seal(secret, runtimeSecretPurpose(agent.id));
  return secret;
}
