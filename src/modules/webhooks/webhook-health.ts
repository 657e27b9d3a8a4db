import { type RepairReportDto } from './repair-report.dto.js';
import { listensTo } from './webhook-events.js';
import { type Webhook } from './webhook.entity.js';

export interface HealthWarning {
  /** Stable code. */
  code: string;
  /** For a person. */
  message: string;
}

function repairWarnings(repair: RepairReportDto | null): HealthWarning[] {
  if (repair === null) return [];
  const { missing, failed, requested, given_up, error } = repair;
  return [
    ...(missing + failed + given_up > 0
      ? [
          {
            code: 'missed_deliveries',
            message: `At the last check ${missing} deliveries had not arrived and ${failed} had failed here: ${requested} were asked for again, ${given_up} given up.`,
          },
        ]
      : []),
    ...(error === null
      ? []
      : [{ code: 'repair_failed', message: `The check for missed deliveries failed: ${error}` }]),
  ];
}

/** What is wrong, or unwise, with a webhook's settings here and, as far as it has told, on GitHub. */
export function webhookWarnings(webhook: Webhook): HealthWarning[] {
  const { hook_facts: facts, config } = webhook;
  const warnings: HealthWarning[] = [];
  const warn = (when: boolean, code: string, message: string): void => {
    if (when) warnings.push({ code, message });
  };
  warn(!webhook.active, 'inactive', 'The webhook is disabled: deliveries are answered 410 and kept.');
  warn(
    webhook.team_id === null,
    'no_team',
    'The webhook has no team: events are logged and no tasks are created.',
  );
  warn(
    !listensTo(webhook.events, 'issues.opened') && !listensTo(webhook.events, 'pull_request.opened'),
    'creates_nothing',
    'The webhook listens to neither issues.opened nor pull_request.opened: no tasks are created.',
  );
  const trust = config.trust ?? 'anyone';
  warn(
    facts?.repository_private === false && config.auto_assign === true && trust === 'anyone',
    'public_repository_trusts_anyone',
    'The repository is public and config.trust is "anyone": whoever opens an issue makes an agent start work.',
  );
  warnings.push(...repairWarnings(webhook.repair));
  if (facts === null || facts.pinged_at === null) return warnings;
  warn(
    facts.content_type === 'form',
    'content_type_form',
    'The hook on GitHub sends application/x-www-form-urlencoded; application/json is recommended.',
  );
  warn(facts.insecure_ssl, 'insecure_ssl', 'The hook on GitHub does not verify TLS certificates.');
  const everything = facts.events.includes('*');
  warn(
    everything,
    'all_events',
    'The hook on GitHub sends every event ("*"); choose issues and pull requests only.',
  );
  for (const event of ['issues', 'pull_request'])
    warn(
      !everything && !facts.events.includes(event) && listensTo(webhook.events, `${event}.opened`),
      `missing_${event}_event`,
      `The hook on GitHub does not send "${event}" events, which this webhook waits for.`,
    );
  return warnings;
}
