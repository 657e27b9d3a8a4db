import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, In, IsNull, LessThan, Repository } from 'typeorm';
import { markTeamsChanged } from '../../../database/notify-on-commit.js';
import { DomainError, validationFailed } from '../../../errors/domain-error.js';
import { decodeCursor, Page } from '../../../http/pagination.js';
import { Agents } from '../../agents/agents.service.js';
import { type Identity, reachable } from '../../auth/identity.js';
import { Membership } from '../../organizations/membership.entity.js';
import { Agent } from '../../agents/agent.entity.js';
import { type Team } from '../../teams/team.entity.js';
import { Teams } from '../../teams/teams.service.js';
import { Message } from '../message.entity.js';
import { runnerOf } from '../task-transitions.js';
import { Task } from '../task.entity.js';
import { positionId } from '../tasks.service.js';
import { type InboxQuery, type MessageDto, type SendMessageDto } from './messages.dto.js';

/** What the service tells an agent, by itself or for somebody. */
export type AgentMessage = Pick<
  Message,
  'org_id' | 'team_id' | 'recipient_id' | 'task_id' | 'content' | 'actor'
>;

/** What agents and people say to each other. An agent is given its unprocessed messages with its next run. */
@Injectable()
export class Messages {
  constructor(
    @InjectRepository(Message) private readonly messages: Repository<Message>,
    private readonly teams: Teams,
    private readonly agents: Agents,
  ) {}

  async send(identity: Identity, team_id: string, dto: SendMessageDto): Promise<MessageDto> {
    const team = await this.teams.getReachable(identity, team_id);
    return this.messages.manager.transaction(async (manager) => {
      await assertRecipient(manager, team, dto);
      const { user_id, agent_id, api_key_id } = identity;
      const sender_id = user_id ?? agent_id ?? api_key_id ?? null;
      const claimed = dto.sender_id !== undefined && dto.sender_id !== sender_id;
      const message = await manager.save(
        manager.create(Message, {
          org_id: team.org_id,
          team_id: team.id,
          sender_id,
          sender_type: user_id ? 'user' : agent_id ? 'agent' : 'system',
          claimed_sender: claimed ? { id: dto.sender_id ?? '', type: dto.sender_type ?? 'agent' } : null,
          actor: identity.actor,
          recipient_id: dto.recipient_id.toLowerCase(),
          recipient_type: dto.recipient_type,
          task_id: dto.task_id ?? null,
          content: dto.content,
        }),
      );
      markTeamsChanged(runnerOf(manager), [team.id]);
      return toDto(message);
    });
  }

  /**
   * Newest first. Reading by a key, which is how agents read, marks the messages as seen; a person who looks into an
   * agent's inbox does not.
   */
  async inbox(identity: Identity, agent_id: string, query: InboxQuery): Promise<Page<MessageDto>> {
    const agent = await this.agents.getReachable(identity, agent_id);
    assertOwnInbox(identity, agent.id);
    const position = decodeCursor(query.cursor, 1);
    const { limit = 50, unprocessed_only = true } = query;
    const rows = await this.messages.find({
      where: {
        recipient_id: agent.id,
        ...(unprocessed_only ? { processed_at: IsNull() } : {}),
        ...(position === null ? {} : { id: LessThan(positionId(position)) }),
      },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    const page = Page.of(rows, limit, (message) => [message.id]);
    if (identity.user_id === undefined) await this.markSeen(page.items);
    return page.map(toDto);
  }

  /** By the recipient's word, the message is done with: it is in no further prompt. Said twice, it is said once. */
  async process(identity: Identity, id: number): Promise<MessageDto> {
    const found = await this.messages.findOneBy({ id, ...reachable(identity) });
    if (found === null) throw new DomainError('message_not_found', 'Message not found');
    assertOwnInbox(identity, found.recipient_id);
    await this.messages.manager.transaction((manager) => this.markProcessed(manager, [id]));
    return toDto(await this.messages.findOneByOrFail({ id }));
  }

  /** Tells an agent something in the transaction of what it is about; as from `actor`. */
  async tell(manager: EntityManager, message: AgentMessage): Promise<void> {
    const { actor } = message;
    const sender_type = actor.type === 'user' || actor.type === 'agent' ? actor.type : 'system';
    await manager.insert(Message, {
      ...message,
      sender_id: sender_type === 'system' ? null : actor.id,
      sender_type,
      recipient_type: 'agent',
    });
    markTeamsChanged(runnerOf(manager), [message.team_id]);
  }

  /** What an agent's next prompt holds, oldest first. */
  unprocessedFor(manager: EntityManager, agent_id: string, limit = 50): Promise<Message[]> {
    return manager.find(Message, {
      where: { recipient_id: agent_id, processed_at: IsNull() },
      order: { id: 'ASC' },
      take: limit,
    });
  }

  /** They were put into the prompt of a run. */
  async markDelivered(manager: EntityManager, ids: number[]): Promise<void> {
    await manager.update(
      Message,
      { id: In(ids), delivered_at: IsNull() },
      { delivered_at: () => 'clock_timestamp()' },
    );
  }

  async markProcessed(manager: EntityManager, ids: number[]): Promise<void> {
    await manager.update(
      Message,
      { id: In(ids), processed_at: IsNull() },
      { processed_at: () => 'clock_timestamp()' },
    );
  }

  private async markSeen(messages: Message[]): Promise<void> {
    const unseen = messages.filter((message) => message.seen_at === null);
    if (unseen.length === 0) return;
    const seen_at = new Date();
    await this.messages.update({ id: In(unseen.map(({ id }) => id)), seen_at: IsNull() }, { seen_at });
    for (const message of unseen) message.seen_at = seen_at;
  }
}

function assertOwnInbox(identity: Identity, recipient_id: string): void {
  if (identity.agent_id !== undefined && identity.agent_id !== recipient_id)
    throw new DomainError('forbidden', "An agent's key reaches only its own inbox");
}

async function assertRecipient(manager: EntityManager, team: Team, dto: SendMessageDto): Promise<void> {
  const refuse = (field: string, message: string): never => {
    throw validationFailed([{ field, message }]);
  };
  if (dto.recipient_type === 'agent') {
    if (!(await manager.existsBy(Agent, { id: dto.recipient_id, team_id: team.id })))
      refuse('recipient_id', 'recipient_id must be an agent of the team');
  } else if (!(await manager.existsBy(Membership, { user_id: dto.recipient_id, org_id: team.org_id })))
    refuse('recipient_id', 'recipient_id must be a member of the organization');
  if (
    typeof dto.task_id === 'number' &&
    !(await manager.existsBy(Task, { id: dto.task_id, team_id: team.id }))
  )
    refuse('task_id', 'task_id must be a task of the team');
}

const toDto = (message: Message): MessageDto => ({
  id: message.id,
  team_id: message.team_id,
  sender_id: message.sender_id,
  sender_type: message.sender_type,
  recipient_id: message.recipient_id,
  recipient_type: message.recipient_type,
  task_id: message.task_id,
  content: message.content,
  delivered_at: message.delivered_at,
  seen_at: message.seen_at,
  processed_at: message.processed_at,
  created_at: message.created_at,
});
