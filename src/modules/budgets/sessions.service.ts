import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, Repository } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { DomainError } from '../../errors/domain-error.js';
import { decodeCursor, Page } from '../../http/pagination.js';
import { Agents } from '../agents/agents.service.js';
import { type Identity, reachable } from '../auth/identity.js';
import { assertActsFor } from '../auth/permissions.js';
import { positionId } from '../tasks/tasks.service.js';
import { AgentSession } from './agent-session.entity.js';
import { Budgets } from './budgets.service.js';
import { endSession, silentSessions } from './end-sessions.js';
import { isPriceKnown } from './prices.js';
import { addUsage } from './record-usage.js';
import { type SessionDto, type SessionQuery, type StartSessionDto, type UsageDto } from './sessions.dto.js';
import { StartSession } from './start-session.js';

const DEFAULT_PAGE = 50;

export type ExceededListener = (run_id: string) => Promise<void>;

/** What agents say of the tokens they use. */
@Injectable()
export class AgentSessions {
  private readonly listeners: ExceededListener[] = [];

  constructor(
    @InjectRepository(AgentSession) private readonly sessions: Repository<AgentSession>,
    private readonly agents: Agents,
    private readonly budgets: Budgets,
    private readonly starting: StartSession,
    private readonly settings: ResolvedSettings,
  ) {}

  /** Runs `listener` for a run whose usage, just reported, has reached a limit. */
  onExceeded(listener: ExceededListener): void {
    this.listeners.push(listener);
  }

  async start(identity: Identity, dto: StartSessionDto): Promise<SessionDto> {
    const { id } = await this.starting.start(identity, dto);
    return this.get(identity, id);
  }

  /** @throws DomainError `session_not_found`, `forbidden` for another agent's session */
  async addUsage(identity: Identity, id: number, usage: UsageDto): Promise<SessionDto> {
    const session = await this.findOwn(identity, id);
    const { tokens_in, tokens_out, cache_read, cache_write } = usage;
    await addUsage(this.sessions.manager, session, {
      tokens_in: tokens_in ?? 0,
      tokens_out: tokens_out ?? 0,
      cache_read: cache_read ?? 0,
      cache_write: cache_write ?? 0,
    });
    if (session.run_id !== null) await this.stopIfOver(session.run_id, session.agent_id, session.task_id);
    return this.get(identity, id);
  }

  /** In transactions of its own, after the usage was committed: asking a run to stop locks the run. */
  async stopIfOver(run_id: string, agent_id: string, task_id: number | null): Promise<void> {
    if (await this.budgets.isOver(agent_id, task_id))
      for (const listener of this.listeners) await listener(run_id);
  }

  /** @throws DomainError `session_not_found`, `forbidden` for another agent's session */
  async end(identity: Identity, id: number, error: string | null): Promise<SessionDto> {
    await this.findOwn(identity, id);
    await this.sessions.manager.transaction((manager) => endSession(manager, id, error));
    return this.get(identity, id);
  }

  /** Ends those that have been silent for too long; their agents take work again. */
  async endSilent(): Promise<void> {
    const seconds = this.settings.ENTOURAGE_SESSION_SILENCE_SECONDS;
    for (const { id } of await silentSessions(this.sessions.manager, seconds))
      await this.sessions.manager.transaction((manager) =>
        endSession(manager, id, 'The agent gave no sign of life'),
      );
  }

  async get(identity: Identity, id: number): Promise<SessionDto> {
    return toDto(await this.find(identity, id));
  }

  /** Newest first. */
  async ofAgent(identity: Identity, agent_id: string, query: SessionQuery): Promise<Page<SessionDto>> {
    const agent = await this.agents.getReachable(identity, agent_id);
    const position = decodeCursor(query.cursor, 1);
    const limit = query.limit ?? DEFAULT_PAGE;
    const rows = await this.sessions.find({
      where: {
        agent_id: agent.id,
        ...(query.task_id === undefined ? {} : { task_id: query.task_id }),
        ...(position === null ? {} : { id: LessThan(positionId(position)) }),
      },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    return Page.of(rows, limit, ({ id }) => [id]).map(toDto);
  }

  private async findOwn(identity: Identity, id: number): Promise<AgentSession> {
    const session = await this.find(identity, id);
    assertActsFor(identity, session.agent_id);
    return session;
  }

  private async find(identity: Identity, id: number): Promise<AgentSession> {
    const session = await this.sessions.findOneBy({ id, ...reachable(identity) });
    if (session === null) throw new DomainError('session_not_found', 'Session not found');
    return session;
  }
}

const toDto = (session: AgentSession): SessionDto => ({
  id: session.id,
  agent_id: session.agent_id,
  task_id: session.task_id,
  run_id: session.run_id,
  started_at: session.started_at,
  ended_at: session.ended_at,
  tokens_in: session.tokens_in,
  tokens_out: session.tokens_out,
  cache_read: session.cache_read,
  cache_write: session.cache_write,
  cost_usd: Number(session.cost_usd),
  model: session.model,
  error: session.error,
  price_known: isPriceKnown(session.model),
  usage_reported: session.usage_reported_at !== null,
});
