import { Injectable } from '@nestjs/common';
import { DataSource, LessThan } from 'typeorm';
import { DomainError, validationFailed } from '../../errors/domain-error.js';
import { decodeCursor, Page } from '../../http/pagination.js';
import { Agents } from '../agents/agents.service.js';
import { type Identity, reachable } from '../auth/identity.js';
import { assertActsFor } from '../auth/permissions.js';
import { Task } from '../tasks/task.entity.js';
import { positionId } from '../tasks/tasks.service.js';
import { Messages } from '../tasks/tasks.facade.js';
import { Teams } from '../teams/teams.service.js';
import { AnswerWaits } from './answer-waits.js';
import { HumanRequest } from './human-request.entity.js';
import {
  type AskHumanDto,
  type HumanRequestDto,
  type HumanRequestsQuery,
  type RespondDto,
} from './human-requests.dto.js';
import { recordRequest, tellAsker } from './record-request.js';

const NEVER = new AbortController().signal;

/** Also past its time nobody answers a request, whether or not it has been marked as expired yet. */
const ANSWER = `
  UPDATE human_requests SET status = 'resolved', response = $2, responded_by = $3, answered_by = $4, claimed = $5,
    resolved_at = clock_timestamp()
  WHERE id = $1 AND status = 'pending' AND (timeout_at IS NULL OR timeout_at > clock_timestamp())
  RETURNING *`;

/** What agents ask people. */
@Injectable()
export class HumanRequests {
  constructor(
    private readonly db: DataSource,
    private readonly agents: Agents,
    private readonly teams: Teams,
    private readonly messages: Messages,
    private readonly waits: AnswerWaits,
  ) {}

  /** @throws DomainError `agent_not_found`, `forbidden` for another agent's key, `validation_failed` */
  async ask(identity: Identity, dto: AskHumanDto): Promise<HumanRequestDto> {
    const agent = await this.agents.getReachable(identity, dto.agent_id.toLowerCase());
    assertActsFor(identity, agent.id);
    if (agent.team_id !== dto.team_id.toLowerCase())
      throw new DomainError('agent_not_found', 'Agent not found');
    const { org_id, team_id } = agent;
    const task_id = dto.task_id ?? null;
    if (task_id !== null && !(await this.db.manager.existsBy(Task, { id: task_id, team_id })))
      throw refused('task_id', 'task_id must be a task of the team');
    const { kind, question, timeout_minutes } = dto;
    return this.db.transaction(async (manager) => {
      const [row] = await manager.query<HumanRequest[]>(
        `INSERT INTO human_requests (org_id, team_id, agent_id, task_id, kind, question, options, asked_by, timeout_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + make_interval(secs => $9)) RETURNING *`,
        [
          org_id,
          team_id,
          agent.id,
          task_id,
          kind,
          question,
          dto.options ?? [],
          JSON.stringify(identity.actor),
          timeout_minutes === undefined || timeout_minutes === null ? null : timeout_minutes * 60,
        ],
      );
      if (row === undefined) throw new Error('the request was not made');
      await recordRequest(manager, row, identity.actor);
      return toDto(row);
    });
  }

  /**
   * Waits for the answer when asked to, as long as the caller does.
   * @throws DomainError `human_request_not_found`
   */
  async get(identity: Identity, id: number, wait_seconds = 0, gone = NEVER): Promise<HumanRequestDto> {
    return this.waits.until(id, { wait_seconds, gone }, async () => {
      const request = await this.find(identity, id);
      return { found: toDto(request), settled: request.status !== 'pending' };
    });
  }

  /** Newest first. */
  async ofTeam(
    identity: Identity,
    team_id: string,
    query: HumanRequestsQuery,
  ): Promise<Page<HumanRequestDto>> {
    await this.teams.getReachable(identity, team_id);
    const { limit = 50, status, agent_id, task_id } = query;
    const position = decodeCursor(query.cursor, 1);
    const rows = await this.db.manager.find(HumanRequest, {
      where: {
        team_id,
        ...(status ? { status } : {}),
        ...(agent_id ? { agent_id } : {}),
        ...(typeof task_id === 'number' ? { task_id } : {}),
        ...(position === null ? {} : { id: LessThan(positionId(position)) }),
      },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    return Page.of(rows, limit, ({ id }) => [id]).map(toDto);
  }

  /**
   * For people and the organization's keys: an agent must not answer itself.
   * @throws DomainError `human_request_not_found`, `human_request_closed`, `forbidden`, `validation_failed`
   */
  async respond(identity: Identity, id: number, dto: RespondDto): Promise<HumanRequestDto> {
    const { options, status } = await this.find(identity, id);
    if (identity.agent_id !== undefined)
      throw new DomainError('forbidden', "An agent's key cannot answer for a person");
    if (status === 'pending' && options.length > 0 && !options.includes(dto.response))
      throw refused('response', `response must be one of: ${options.join(', ')}`);
    const claimed = dto.responded_by ? { responded_by: dto.responded_by } : null;
    return this.db.transaction(async (manager) => {
      const [rows] = await manager.query<[HumanRequest[], number]>(ANSWER, [
        id,
        dto.response,
        identity.user_id ?? identity.api_key_id ?? null,
        JSON.stringify(identity.actor),
        claimed === null ? null : JSON.stringify(claimed),
      ]);
      const [row] = rows;
      if (row === undefined) throw closed(await this.find(identity, id));
      await tellAsker(manager, this.messages, row, identity.actor);
      await recordRequest(manager, row, identity.actor);
      return toDto(row);
    });
  }

  private async find(identity: Identity, id: number): Promise<HumanRequest> {
    const request = await this.db.manager.findOneBy(HumanRequest, { id, ...reachable(identity) });
    if (request === null) throw new DomainError('human_request_not_found', 'Human request not found');
    return request;
  }
}

const closed = ({ status }: HumanRequest): DomainError =>
  new DomainError(
    'human_request_closed',
    `The request is already ${status === 'resolved' ? 'resolved' : 'expired'}`,
  );

const refused = (field: string, message: string): DomainError => validationFailed([{ field, message }]);

const toDto = (request: HumanRequest): HumanRequestDto => ({
  id: request.id,
  team_id: request.team_id,
  agent_id: request.agent_id,
  task_id: request.task_id,
  kind: request.kind,
  question: request.question,
  options: request.options,
  status: request.status,
  response: request.response,
  responded_by: request.responded_by,
  timeout_at: request.timeout_at,
  created_at: request.created_at,
  resolved_at: request.resolved_at,
});
