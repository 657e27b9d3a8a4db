import { Injectable } from '@nestjs/common';
import { ResolvedSettings } from '../../../config/settings.js';
import { OutboundError } from '../../../http-client/outbound-error.js';
import { OutboundHttp } from '../../../http-client/outbound-http.js';
import { signRequest } from '../../../http-client/sign-request.js';
import { Agents } from '../../agents/agents.service.js';
import { type Assignment, RunNotStarted, type Runtime } from './runtime.js';

/** Calls the agent's URL with the work; the agent then reports by REST, with the run's fencing token. */
@Injectable()
export class HttpRuntime implements Runtime {
  constructor(
    private readonly outbound: OutboundHttp,
    private readonly agents: Agents,
    private readonly settings: ResolvedSettings,
  ) {}

  async start(assignment: Assignment): Promise<null> {
    const { url } = assignment.agent.runtime_config;
    if (typeof url !== 'string') throw new RunNotStarted('The agent has the runtime "http" but names no URL');
    const secret = this.agents.openRuntimeSecret(assignment.agent);
    if (secret === null)
      throw new RunNotStarted('The agent has the runtime "http" but no secret to sign with');
    const body = Buffer.from(JSON.stringify(this.payload(assignment)));
    const headers = signRequest(
      {
        id: assignment.run.id,
        event: 'run.assigned',
        attempt: 1,
        body,
        timestamp: Math.floor(Date.now() / 1000),
      },
      secret,
    );
    try {
      const sent = { 'content-type': 'application/json', ...headers };
      const answer = await this.outbound.post(url, sent, body, { keep_alive: true });
      if (answer.status < 200 || answer.status > 299)
        throw new RunNotStarted(`The agent's URL answered ${answer.status}`);
    } catch (error) {
      if (error instanceof OutboundError)
        throw new RunNotStarted(`The agent could not be called: ${error.message}`);
      throw error;
    }
    return null;
  }

  private payload({ run, agent, task, prompt, lease_seconds }: Assignment): object {
    const base = `${this.settings.ENTOURAGE_PUBLIC_URL?.replace(/\/+$/, '') ?? ''}/api/v1/runs/${run.id}`;
    return {
      type: 'run.assigned',
      timestamp: new Date().toISOString(),
      run: {
        id: run.id,
        task_id: run.task_id,
        team_id: run.team_id,
        agent_id: agent.id,
        attempt: run.attempt,
        fencing_token: run.fencing_token,
        lease_seconds,
        heartbeat_url: `${base}/heartbeat`,
        finish_url: `${base}/finish`,
      },
      task,
      prompt,
    };
  }
}
