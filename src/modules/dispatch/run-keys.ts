import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { makeRunKey } from '../auth/api-keys/run-keys.facade.js';
import { IS_ACTIVE } from './active-run.js';
import { type AgentRun } from './agent-run.entity.js';
import { notCurrent } from './finish-run.js';

type KeyedRun = Pick<AgentRun, 'id' | 'org_id' | 'agent_id' | 'fencing_token'>;

/** Keys for the programs of runs. */
@Injectable()
export class RunKeys {
  constructor(private readonly db: DataSource) {}

  /**
   * The run's row stays locked until the key is there: whoever ends the run comes before it, and there is no key, or
   * after it, and takes the key away. So no key outlives its run, and there is none to sweep.
   * @throws DomainError `run_not_current`
   */
  make(run: KeyedRun, seconds: number): Promise<string> {
    return this.db.transaction(async (manager) => {
      const current = await manager.query<unknown[]>(
        `SELECT FROM agent_runs WHERE id = $1 AND fencing_token = $2 AND ${IS_ACTIVE} FOR SHARE`,
        [run.id, run.fencing_token],
      );
      if (current.length === 0) throw notCurrent();
      return makeRunKey(manager, run, seconds);
    });
  }
}
