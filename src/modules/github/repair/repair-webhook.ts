import { Injectable } from '@nestjs/common';
import { DomainError } from '../../../errors/domain-error.js';
import { type Identity } from '../../auth/identity.js';
import { assertMayManage } from '../../auth/permissions.js';
import { type RepairReportDto } from '../../webhooks/repair-report.dto.js';
import { WebhookRepairs } from '../../webhooks/webhook-repairs.service.js';
import { WebhooksService } from '../../webhooks/webhooks.service.js';
import { CredentialStore } from '../credentials/credential-store.js';
import { CheckWebhook } from './check-webhook.js';
import { FRESH_SECONDS } from './repair-loop.js';

const unavailable = (detail: string): DomainError => new DomainError('repair_unavailable', detail);

/** A check for missed deliveries that a person asks for. */
@Injectable()
export class RepairWebhook {
  constructor(
    private readonly webhooks: WebhooksService,
    private readonly repairs: WebhookRepairs,
    private readonly store: CredentialStore,
    private readonly checks: CheckWebhook,
  ) {}

  /** Within a minute of the last check its report is the answer. */
  async repair(identity: Identity, webhook_id: string): Promise<RepairReportDto> {
    const { org_id } = await this.webhooks.find(identity, webhook_id);
    assertMayManage(identity, org_id);
    if ((await this.store.standing(org_id)) === null)
      throw unavailable('The organization has no GitHub credentials');
    if (!(await this.repairs.isRepairable(webhook_id)))
      throw unavailable(
        'The webhook is not active, not of GitHub, or GitHub has not told its hook yet: send a ping from there',
      );
    const leased = await this.repairs.lease([org_id], FRESH_SECONDS, webhook_id);
    if (leased !== null) {
      const report = await this.checks.check(leased, new AbortController().signal);
      if (report !== null) return report;
    }
    const { repair, repair_leased_until } = await this.webhooks.find(identity, webhook_id);
    if (repair === null || (repair_leased_until !== null && repair_leased_until.getTime() > Date.now()))
      throw new DomainError('repair_running', 'The webhook is being checked just now');
    return repair;
  }
}
