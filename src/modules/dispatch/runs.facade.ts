import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, Repository } from 'typeorm';
import { preparedBy, type PreparedStatement } from '../../database/prepared.js';
import { DomainError } from '../../errors/domain-error.js';
import { decodeCursor, Page, type PageQuery } from '../../http/pagination.js';
import { type Identity, reachable } from '../auth/identity.js';
import { assertActsFor, assertNotAgent } from '../auth/permissions.js';
import { AgentRun } from './agent-run.entity.js';
import { RunLifecycle } from './run-lifecycle.js';
import {
  type FinishRunDto,
  type HeartbeatAnswerDto,
  type HeartbeatDto,
  type RunDetailDto,
  type RunDto,
} from './run.dto.js';

const DEFAULT_PAGE = 50;

/** The runs a caller reaches, and what agents report of them. */
@Injectable()
export class Runs {
  constructor(
    @InjectRepository(AgentRun) private readonly runs: Repository<AgentRun>,
    private readonly lifecycle: RunLifecycle,
  ) {}

  /** @throws DomainError `run_not_found` */
  async get(identity: Identity, run_id: string): Promise<RunDetailDto> {
    return toDetailDto(await this.find(identity, run_id));
  }

  /** Newest first. */
  async ofTask(identity: Identity, task_id: number, query: PageQuery): Promise<Page<RunDto>> {
    return this.page(identity, { task_id }, query);
  }

  /** Newest first. */
  async ofTeam(identity: Identity, team_id: string, query: PageQuery): Promise<Page<RunDto>> {
    return this.page(identity, { team_id }, query);
  }

  /** Null when the task was never started, or is not the caller's. */
  async latestOfTask(identity: Identity, task_id: number): Promise<RunDto | null> {
    const run = await this.runs.findOne({
      where: { ...reachable(identity), task_id },
      order: { attempt: 'DESC' },
    });
    return run === null ? null : toRunDto(run);
  }

  /** @throws DomainError `run_not_found`, `forbidden` for another agent's run, `run_not_current` */
  async heartbeat(identity: Identity, run_id: string, dto: HeartbeatDto): Promise<HeartbeatAnswerDto> {
    await this.findOwn(identity, run_id);
    const ref = { id: run_id, fencing_token: dto.fencing_token };
    if (dto.usage) await this.lifecycle.reportUsage(ref, dto.usage);
    return this.lifecycle.heartbeat(ref, dto.progress ?? null);
  }

  /** @throws DomainError as `heartbeat` */
  async finish(identity: Identity, run_id: string, dto: FinishRunDto): Promise<RunDetailDto> {
    await this.findOwn(identity, run_id);
    const { status, summary, output, fencing_token, usage } = dto;
    const error = dto.error ?? (status === 'failed' ? (summary ?? 'The agent reported failure') : null);
    const ref = { id: run_id, fencing_token };
    const { actor } = identity;
    return toDetailDto(await this.lifecycle.finish(ref, { status, summary, output, error, usage, actor }));
  }

  /** Asks the agent to stop; its task is held afterwards, so that nobody starts it at once. */
  async cancel(identity: Identity, run_id: string): Promise<RunDetailDto> {
    assertNotAgent(identity);
    await this.find(identity, run_id);
    await this.lifecycle.requestCancel(
      run_id,
      `cancelled by ${identity.actor.type} ${identity.actor.name ?? identity.actor.id}`,
    );
    return this.get(identity, run_id);
  }

  private async findOwn(identity: Identity, run_id: string): Promise<void> {
    const { org_ids, team_id = null } = identity;
    const [run] = await preparedBy<Pick<AgentRun, 'agent_id'>>(this.runs.manager, AGENT_OF_RUN, [
      run_id,
      org_ids,
      team_id,
    ]);
    if (run === undefined) throw notFound();
    assertActsFor(identity, run.agent_id);
  }

  private async find(identity: Identity, id: string): Promise<AgentRun> {
    const run = await this.runs.findOneBy({ id, ...reachable(identity) });
    if (run === null) throw notFound();
    return run;
  }

  /** A run's id is a UUID of version 7: its order is that of the claims. */
  private async page(
    identity: Identity,
    of: { task_id: number } | { team_id: string },
    query: PageQuery,
  ): Promise<Page<RunDto>> {
    const limit = query.limit ?? DEFAULT_PAGE;
    const [before] = decodeCursor(query.cursor, 1) ?? [];
    if (before !== undefined && !/^[0-9a-f-]{36}$/.test(String(before)))
      throw new DomainError('invalid_cursor', 'The cursor is not one this list has given out');
    const rows = await this.runs.find({
      where: {
        ...reachable(identity),
        ...of,
        ...(before === undefined ? {} : { id: LessThan(String(before)) }),
      },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    return Page.of(rows, limit, ({ id }) => [id]).map(toRunDto);
  }
}

/** The condition is `reachable`; without the texts of the run, which may be long. */
const AGENT_OF_RUN: PreparedStatement = {
  name: 'agent-of-run',
  text: `SELECT agent_id FROM agent_runs
    WHERE id = $1 AND org_id = ANY($2::uuid[]) AND ($3::uuid IS NULL OR team_id = $3)`,
};

const notFound = (): DomainError => new DomainError('run_not_found', 'Run not found');

const toDetailDto = (run: AgentRun): RunDetailDto => {
  const { prompt, output, message_ids } = run;
  return Object.assign(toRunDto(run), { prompt, output, message_ids });
};

const toRunDto = (run: AgentRun): RunDto => ({
  id: run.id,
  team_id: run.team_id,
  task_id: run.task_id,
  agent_id: run.agent_id,
  attempt: run.attempt,
  status: run.status,
  runtime: run.runtime,
  lease_expires_at: run.lease_expires_at,
  heartbeat_at: run.heartbeat_at,
  cancel_requested_at: run.cancel_requested_at,
  cancel_reason: run.cancel_reason,
  exit_code: run.exit_code,
  error: run.error,
  summary: run.summary,
  correlation_id: run.correlation_id,
  started_at: run.started_at,
  work_started_at: run.work_started_at,
  finished_at: run.finished_at,
});
