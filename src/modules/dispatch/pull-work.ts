import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { readTeams, TASKS_CHANNEL } from '../../database/channels.js';
import { ChangeWaits } from '../../database/change-waits.js';
import { NotificationListener } from '../../database/notification-listener.js';
import { DomainError } from '../../errors/domain-error.js';
import { type Agent } from '../agents/agent.entity.js';
import { Agents } from '../agents/agents.service.js';
import { type Identity } from '../auth/identity.js';
import { assertActsFor } from '../auth/permissions.js';
import { buildPrompt } from './build-prompt.js';
import { type RunRef } from './finish-run.js';
import { loadPromptMaterial } from './load-prompt-material.js';
import { RunLifecycle } from './run-lifecycle.js';
import { type ClaimedRunDto } from './run.dto.js';

/** The `pull` runtime: agents ask for work, and wait a while when there is none. */
@Injectable()
export class PullWork implements OnApplicationBootstrap, OnModuleDestroy {
  /** Those who wait, by team. */
  private readonly waits: ChangeWaits<string>;
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly db: DataSource,
    settings: ResolvedSettings,
    private readonly listener: NotificationListener,
    private readonly agents: Agents,
    private readonly lifecycle: RunLifecycle,
  ) {
    this.waits = new ChangeWaits(settings.ENTOURAGE_POLL_SECONDS * 1000);
  }

  /** How many agents wait for work here. */
  get waiters(): number {
    return this.waits.size;
  }

  onApplicationBootstrap(): void {
    this.unsubscribe = this.listener.subscribe(TASKS_CHANNEL, {
      notified: (text) => this.wake(readTeams(text)),
      connected: () => this.wake('*'),
    });
  }

  /** Everybody who waits is answered: a shutdown does not wait for them. */
  onModuleDestroy(): void {
    this.unsubscribe();
    this.waits.close();
  }

  /**
   * @param gone aborted when the caller has gone away: then nothing is claimed for it.
   * @returns null when there was nothing to do for `wait_seconds`.
   * @throws DomainError `agent_not_found`, `forbidden` for another agent's key, `conflict` for another runtime.
   */
  async claim(
    identity: Identity,
    agent_id: string,
    wait_seconds: number,
    gone: AbortSignal,
  ): Promise<ClaimedRunDto | null> {
    const agent = await this.agents.getReachable(identity, agent_id);
    assertActsFor(identity, agent.id);
    if (agent.runtime !== 'pull')
      throw new DomainError(
        'conflict',
        `The agent has the runtime '${agent.runtime}': its work is brought to it`,
      );
    const deadline = performance.now() + wait_seconds * 1000;
    for (;;) {
      const change = this.waits.begin(agent.team_id, gone, deadline);
      try {
        if (gone.aborted || this.waits.isClosing) return null;
        const run = await this.take(agent);
        if (run !== null) return await this.handOver(run, gone);
        if (performance.now() >= deadline) return null;
        await change.seen;
      } finally {
        change.end();
      }
    }
  }

  private wake(teams: string[] | '*'): void {
    this.waits.wake((team_id) => teams === '*' || teams.includes(team_id));
  }

  /** A run that a person started for the agent comes first, then the most urgent task. */
  private async take(agent: Agent): Promise<RunRef | null> {
    const [rows] = await this.db.query<[RunRef[], number]>(
      `UPDATE agent_runs SET dispatcher = 'pull'
       WHERE agent_id = $1 AND finished_at IS NULL AND status = 'starting' AND dispatcher IS NULL
         AND lease_expires_at > clock_timestamp()
       RETURNING id, fencing_token`,
      [agent.id],
    );
    if (rows[0] !== undefined) return rows[0];
    const claimed = await this.lifecycle.claim({
      team_id: agent.team_id,
      agent_id: agent.id,
      dispatcher: 'pull',
    });
    return claimed === null ? null : { id: claimed.run_id, fencing_token: claimed.fencing_token };
  }

  private async handOver(ref: RunRef, gone: AbortSignal): Promise<ClaimedRunDto | null> {
    const material = await loadPromptMaterial(this.db.manager, ref.id);
    if (material === null) return null;
    const { text, message_ids } = buildPrompt(material.prompt, randomBytes(12).toString('hex'));
    if (gone.aborted) {
      await this.lifecycle.finish(ref, { status: 'cancelled', given_back: 'client_gone' });
      return null;
    }
    if (!(await this.lifecycle.keepPrompt(ref, text, message_ids))) {
      await this.lifecycle.finish(ref, { status: 'cancelled' });
      return null;
    }
    const { lease_seconds } = await this.lifecycle.heartbeat(ref);
    const { id, title, description, priority, branch, tags } = material.prompt.task;
    return {
      id: ref.id,
      attempt: material.prompt.attempt,
      fencing_token: ref.fencing_token,
      lease_seconds,
      task: { id, title, description, priority, branch, tags },
      prompt: text,
    };
  }
}
