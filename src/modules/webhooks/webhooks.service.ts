import { Injectable } from '@nestjs/common';
import { DataSource, LessThan, type FindOptionsWhere } from 'typeorm';
import { ResolvedSettings } from '../../config/settings.js';
import { newId } from '../../database/new-id.js';
import { DomainError, validationFailed } from '../../errors/domain-error.js';
import { decodeCursor, Page } from '../../http/pagination.js';
import { type Identity, reachable } from '../auth/identity.js';
import { assertMayManage, assertReaches } from '../auth/permissions.js';
import { DeliveryLog } from '../deliveries/delivery-log.service.js';
import { Team } from '../teams/team.entity.js';
import { parseWebhookConfig } from './parse-webhook-config.js';
import { type WebhookConfig } from './webhook-config.js';
import { DEFAULT_EVENTS, normaliseEvents } from './webhook-events.js';
import { webhookWarnings } from './webhook-health.js';
import { WebhookSecrets } from './webhook-secrets.js';
import {
  type CreateWebhookDto,
  type UpdateWebhookDto,
  type WebhookDto,
  type WebhooksQuery,
} from './webhook.dto.js';
import { Webhook } from './webhook.entity.js';

const DEFAULT_LIMIT = 100;

/** Webhooks as their organization manages them. What changes a delivery's verdict raises `revision`. */
@Injectable()
export class WebhooksService {
  constructor(
    private readonly db: DataSource,
    private readonly settings: ResolvedSettings,
    private readonly secrets: WebhookSecrets,
    private readonly deliveries: DeliveryLog,
  ) {}

  async create(identity: Identity, given: CreateWebhookDto): Promise<WebhookDto> {
    assertMayManage(identity, given.org_id);
    const id = newId();
    const secret = this.secrets.generate(id);
    const { events, config } = checked(
      given.events?.length ? given.events : DEFAULT_EVENTS,
      given.config ?? {},
    );
    const team_id = given.team_id ?? null;
    if (team_id !== null) await this.assertTeam(given.org_id, team_id);
    const webhooks = this.db.getRepository(Webhook);
    await webhooks.insert({
      id,
      org_id: given.org_id,
      team_id,
      name: given.name,
      provider: given.provider ?? 'github',
      secret: secret.sealed,
      secret_hint: secret.hint,
      events,
      active: given.active ?? true,
      config,
    });
    return Object.assign(await this.get(identity, id), { secret: secret.plain });
  }

  async list(identity: Identity, query: WebhooksQuery): Promise<Page<WebhookDto>> {
    if (query.org_id !== undefined) assertReaches(identity, query.org_id);
    const limit = query.limit ?? DEFAULT_LIMIT;
    const position = decodeCursor(query.cursor, 1);
    const where: FindOptionsWhere<Webhook>[] = [
      {
        ...reachable(identity),
        ...(position === null ? {} : { id: LessThan(String(position[0])) }),
        ...(query.active_only === true ? { active: true } : {}),
      },
    ];
    const builder = this.db.getRepository(Webhook).createQueryBuilder('w').where(where);
    if (query.org_id !== undefined) builder.andWhere('w.org_id = :org_id', { org_id: query.org_id });
    if (query.team_id !== undefined) builder.andWhere('w.team_id = :team_id', { team_id: query.team_id });
    // Ids are made with the time in front: newest first, and exact as a cursor where a timestamp is rounded.
    const rows = await builder
      .orderBy('w.id', 'DESC')
      .take(limit + 1)
      .getMany();
    const page = Page.of(rows, limit, (row) => [row.id]);
    const last = await this.deliveries.lastReceived(page.items.map((row) => row.id));
    return page.map((row) => this.toDto(row, last.get(row.id) ?? null));
  }

  async get(identity: Identity, webhook_id: string): Promise<WebhookDto> {
    const row = await this.find(identity, webhook_id);
    const last = await this.deliveries.lastReceived([row.id]);
    return this.toDto(row, last.get(row.id) ?? null);
  }

  async update(identity: Identity, webhook_id: string, given: UpdateWebhookDto): Promise<WebhookDto> {
    const row = await this.find(identity, webhook_id);
    assertMayManage(identity, row.org_id);
    if (given.events?.length === 0)
      throw validationFailed([{ field: 'events', message: 'must name at least one event' }]);
    const { events, config } = checked(given.events ?? [], given.config ?? {});
    if (given.team_id) await this.assertTeam(row.org_id, given.team_id);
    await this.db.getRepository(Webhook).update(
      { id: webhook_id },
      {
        name: given.name ?? undefined,
        team_id: given.team_id ?? undefined,
        events: given.events ? events : undefined,
        active: given.active ?? undefined,
        config: given.config ? config : undefined,
        revision: () => 'revision + 1',
      },
    );
    return this.get(identity, webhook_id);
  }

  async delete(identity: Identity, webhook_id: string): Promise<{ deleted: true }> {
    const row = await this.find(identity, webhook_id);
    assertMayManage(identity, row.org_id);
    await this.db.getRepository(Webhook).delete({ id: webhook_id });
    return { deleted: true };
  }

  /** @param grace seconds that the old secret stays valid; 0 ends it with this call. */
  async regenerateSecret(identity: Identity, webhook_id: string, grace: number): Promise<WebhookDto> {
    const row = await this.find(identity, webhook_id);
    assertMayManage(identity, row.org_id);
    const secret = this.secrets.generate(webhook_id);
    await this.db.getRepository(Webhook).update(
      { id: webhook_id },
      {
        // On the right of an UPDATE a column is what it was: the secret that is current when the row is locked.
        previous_secret: grace > 0 ? () => 'secret' : null,
        previous_secret_expires_at: grace > 0 ? () => `now() + make_interval(secs => ${grace})` : null,
        secret: secret.sealed,
        secret_hint: secret.hint,
        revision: () => 'revision + 1',
      },
    );
    return Object.assign(await this.get(identity, webhook_id), { secret: secret.plain });
  }

  /** @throws DomainError `webhook_not_found`, also for another tenant's. */
  async find(identity: Identity, webhook_id: string): Promise<Webhook> {
    const row = await this.db.getRepository(Webhook).findOneBy({ ...reachable(identity), id: webhook_id });
    if (row === null) throw new DomainError('webhook_not_found', 'Webhook not found');
    return row;
  }

  private async assertTeam(org_id: string, id: string): Promise<void> {
    if (!(await this.db.getRepository(Team).existsBy({ id, org_id })))
      throw new DomainError('team_not_found', 'Team not found');
  }

  private toDto(row: Webhook, last_delivery_at: Date | null): WebhookDto {
    const warnings = webhookWarnings(row);
    const { previous_secret_expires_at: expires } = row;
    return {
      id: row.id,
      org_id: row.org_id,
      team_id: row.team_id,
      name: row.name,
      provider: row.provider,
      events: row.events,
      active: row.active,
      config: row.config,
      secret_hint: row.secret_hint,
      previous_secret_expires_at: expires !== null && expires.getTime() > Date.now() ? expires : null,
      receive_url: `${(this.settings.ENTOURAGE_PUBLIC_URL ?? '').replace(/\/+$/, '')}/api/v1/webhooks/${row.id}/receive`,
      health: {
        status: warnings.length === 0 ? 'ok' : 'warning',
        warnings,
        last_delivery_at,
        last_ping_at: row.hook_facts?.pinged_at ?? null,
        repair: row.repair,
      },
      created_at: row.created_at,
      updated_at: row.updated_at,
    };
  }
}

function checked(
  events: string[],
  config: Record<string, unknown>,
): { events: string[]; config: WebhookConfig } {
  const names = normaliseEvents(events);
  const rules = parseWebhookConfig(config);
  const faults = [...names.faults, ...rules.faults];
  if (faults.length > 0) throw validationFailed(faults);
  return { events: names.events, config: rules.config };
}
