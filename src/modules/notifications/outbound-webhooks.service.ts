import { Injectable } from '@nestjs/common';
import { DataSource, LessThan } from 'typeorm';
import { newId } from '../../database/new-id.js';
import { DomainError, validationFailed } from '../../errors/domain-error.js';
import { DELETED, type Deleted } from '../../http/deleted.js';
import { decodeCursor, Page } from '../../http/pagination.js';
import { OutboundError } from '../../http-client/outbound-error.js';
import { OutboundHttp } from '../../http-client/outbound-http.js';
import { type Identity, reachable } from '../auth/identity.js';
import { assertMayManage, assertReaches } from '../auth/permissions.js';
import { Team } from '../teams/team.entity.js';
import { normaliseOutboundEvents } from './outbound-events.js';
import { OutboundRetention } from './outbound-retention.js';
import { OutboundSecrets } from './outbound-secrets.js';
import { toOutboundWebhookDto } from './outbound-webhook-view.js';
import {
  type CreateOutboundWebhookDto,
  type OutboundWebhookDto,
  type OutboundWebhooksQuery,
  type UpdateOutboundWebhookDto,
} from './outbound-webhook.dto.js';
import { OutboundWebhook } from './outbound-webhook.entity.js';
import { OutboundWebhookState } from './outbound-webhook-state.entity.js';
import { shownUrl } from './shown-url.js';

const DEFAULT_LIMIT = 100;

/** Outbound webhooks as their organization manages them. */
@Injectable()
export class OutboundWebhooks {
  constructor(
    private readonly db: DataSource,
    private readonly secrets: OutboundSecrets,
    private readonly http: OutboundHttp,
    private readonly retention: OutboundRetention,
  ) {}

  async create(identity: Identity, given: CreateOutboundWebhookDto): Promise<OutboundWebhookDto> {
    assertMayManage(identity, given.org_id);
    const team_id = given.team_id ?? null;
    if (
      team_id !== null &&
      !(await this.db.getRepository(Team).existsBy({ id: team_id, org_id: given.org_id }))
    )
      throw new DomainError('team_not_found', 'Team not found');
    const id = newId();
    const secret = this.secrets.generate(id);
    const row = {
      id,
      org_id: given.org_id,
      team_id,
      url: await this.checkedUrl(given.url),
      events: checkedEvents(given.events),
      description: given.description ?? '',
      active: given.active ?? true,
      disabled_at: given.active === false ? new Date() : null,
      max_concurrency: given.max_concurrency ?? undefined,
      rate_per_second: given.rate_per_second ?? undefined,
      ...secret.columns,
      ...this.secrets.sealApiKey(id, given.api_key ?? ''),
    };
    await this.db.transaction(async (manager) => {
      await manager.insert(OutboundWebhook, row);
      await manager.insert(OutboundWebhookState, { webhook_id: id });
    });
    return Object.assign(await this.get(identity, id), { secret: secret.plain });
  }

  async list(identity: Identity, query: OutboundWebhooksQuery): Promise<Page<OutboundWebhookDto>> {
    if (query.org_id !== undefined) assertReaches(identity, query.org_id);
    const limit = query.limit ?? DEFAULT_LIMIT;
    const position = decodeCursor(query.cursor, 1);
    const rows = this.db
      .getRepository(OutboundWebhook)
      .createQueryBuilder('w')
      .where({
        ...reachable(identity),
        ...(position === null ? {} : { id: LessThan(String(position[0])) }),
        ...(query.active_only === true ? { active: true } : {}),
      });
    if (query.org_id !== undefined) rows.andWhere('w.org_id = :org_id', { org_id: query.org_id });
    if (query.team_id !== undefined) rows.andWhere('w.team_id = :team_id', { team_id: query.team_id });
    // Ids are made with the time in front: newest first.
    const found = await rows
      .orderBy('w.id', 'DESC')
      .take(limit + 1)
      .getMany();
    const page = Page.of(found, limit, (row) => [row.id]);
    const states = await this.states(page.items.map((row) => row.id));
    return page.map((row) => toOutboundWebhookDto(row, states.get(row.id)));
  }

  async get(identity: Identity, id: string): Promise<OutboundWebhookDto> {
    const row = await this.find(identity, id);
    return toOutboundWebhookDto(row, (await this.states([id])).get(id));
  }

  async update(identity: Identity, id: string, given: UpdateOutboundWebhookDto): Promise<OutboundWebhookDto> {
    const row = await this.managed(identity, id);
    const isNewUrl = given.url && given.url !== shownUrl(row.url);
    await this.db.getRepository(OutboundWebhook).update(
      { id },
      {
        url: isNewUrl ? await this.checkedUrl(given.url ?? '') : undefined,
        events: given.events ? checkedEvents(given.events) : undefined,
        description: given.description ?? undefined,
        max_concurrency: given.max_concurrency ?? undefined,
        rate_per_second: given.rate_per_second ?? undefined,
        ...(typeof given.api_key === 'string' ? this.secrets.sealApiKey(id, given.api_key) : {}),
        ...(given.active === true ? { active: true, disabled_reason: null, disabled_at: null } : {}),
        ...(given.active === false && row.active ? { active: false, disabled_at: new Date() } : {}),
        updated_at: new Date(),
      },
    );
    if (given.active === false) await this.retention.suppress(id);
    if (isNewUrl || (given.active === true && !row.active)) await this.beginAnew(id);
    return this.get(identity, id);
  }

  async delete(identity: Identity, id: string): Promise<Deleted> {
    await this.managed(identity, id);
    await this.db.getRepository(OutboundWebhook).delete({ id });
    this.retention.sweepSoon();
    return DELETED;
  }

  /** @param grace seconds for which the old secret signs as well. */
  async regenerateSecret(identity: Identity, id: string, grace: number): Promise<OutboundWebhookDto> {
    await this.managed(identity, id);
    const secret = this.secrets.generate(id);
    await this.db.transaction(async (manager) => {
      const row = await manager.findOneOrFail(OutboundWebhook, {
        where: { id },
        lock: { mode: 'for_no_key_update' },
      });
      const now = new Date();
      await manager.update(
        OutboundWebhook,
        { id },
        {
          previous_secrets: this.secrets.replaced(row, grace, now),
          secret_created_at: now,
          ...secret.columns,
        },
      );
    });
    return Object.assign(await this.get(identity, id), { secret: secret.plain });
  }

  /** @throws DomainError `outbound_webhook_not_found`, also for another tenant's. */
  async find(identity: Identity, id: string): Promise<OutboundWebhook> {
    const row = await this.db.getRepository(OutboundWebhook).findOneBy({ ...reachable(identity), id });
    if (row === null) throw new DomainError('outbound_webhook_not_found', 'Outbound webhook not found');
    return row;
  }

  /** As `find`, for who may change it. */
  async managed(identity: Identity, id: string): Promise<OutboundWebhook> {
    const row = await this.find(identity, id);
    assertMayManage(identity, row.org_id);
    return row;
  }

  private async states(ids: string[]): Promise<Map<string, OutboundWebhookState>> {
    const rows = await this.db
      .getRepository(OutboundWebhookState)
      .createQueryBuilder('s')
      .where('s.webhook_id = ANY(:ids)', { ids })
      .getMany();
    return new Map(rows.map((row) => [row.webhook_id, row]));
  }

  /** What is held against the receiver was another address's, or has been mended. */
  private async beginAnew(webhook_id: string): Promise<void> {
    await this.db.getRepository(OutboundWebhookState).update(
      { webhook_id },
      {
        open_until: null,
        times_opened: 0,
        connection_errors: 0,
        window_started_at: null,
        failing_since: null,
        warned_percent: 0,
      },
    );
  }

  private async checkedUrl(url: string): Promise<string> {
    try {
      await this.http.check(url);
    } catch (error) {
      if (error instanceof OutboundError) throw validationFailed([{ field: 'url', message: error.message }]);
      throw error;
    }
    return new URL(url).href;
  }
}

function checkedEvents(given: string[]): string[] {
  const { events, faults } = normaliseOutboundEvents(given);
  if (faults.length > 0) throw validationFailed(faults);
  return events;
}
