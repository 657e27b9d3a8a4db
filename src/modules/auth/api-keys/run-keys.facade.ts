import { type EntityManager } from 'typeorm';
import { newId } from '../../../database/new-id.js';
import { ApiKey } from '../api-key.entity.js';
import { generateApiKey, hashApiKey } from './api-key-format.js';

export interface RunOfAgent {
  id: string;
  org_id: string;
  agent_id: string;
}

/** Makes the key that the program of a run works with: its agent's, for as long as the run lasts at the most. */
export async function makeRunKey(manager: EntityManager, run: RunOfAgent, seconds: number): Promise<string> {
  const key = generateApiKey();
  await manager.insert(ApiKey, {
    id: newId(),
    org_id: run.org_id,
    agent_id: run.agent_id,
    run_id: run.id,
    name: `run ${run.id}`,
    prefix: key.slice(0, 10),
    key_hash: hashApiKey(key),
    scopes: ['agent'],
    expires_at: new Date(Date.now() + seconds * 1000),
  });
  return key;
}

/** SQL that is part of the transaction that ends the run: from its commit on, no process takes the key any more. */
export const endRunKeys = (run_id: string): string => `DELETE FROM api_keys WHERE run_id = ${run_id}`;
