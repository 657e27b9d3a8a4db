import { disabledFrom } from './sending/circuit-breaker.js';
import { livePrevious } from './outbound-secrets.js';
import { type OutboundHealthDto, type OutboundWebhookDto } from './outbound-webhook.dto.js';
import { type OutboundWebhook } from './outbound-webhook.entity.js';
import { type OutboundWebhookState } from './outbound-webhook-state.entity.js';
import { shownUrl } from './shown-url.js';

/** A webhook as its organization sees it: no secret, and of its URL no value that may be one. */
export function toOutboundWebhookDto(
  row: OutboundWebhook,
  state: OutboundWebhookState | undefined,
): OutboundWebhookDto {
  const now = new Date();
  return {
    id: row.id,
    org_id: row.org_id,
    team_id: row.team_id,
    url: shownUrl(row.url),
    description: row.description,
    events: row.events,
    active: row.active,
    disabled_reason: row.disabled_reason,
    disabled_at: row.disabled_at,
    secret_hint: row.secret_hint,
    secret_created_at: row.secret_created_at,
    previous_secrets: livePrevious(row, now).map(({ hint, expires_at }) => ({ hint, expires_at })),
    api_key_hint: row.api_key_hint,
    max_concurrency: row.max_concurrency,
    rate_per_second: row.rate_per_second,
    health: healthOf(row, state, now),
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

function healthOf(
  row: OutboundWebhook,
  state: OutboundWebhookState | undefined,
  now: Date,
): OutboundHealthDto {
  const paused_until = state?.open_until ?? null;
  const failing_since = state?.failing_since ?? null;
  return {
    status: !row.active
      ? 'disabled'
      : paused_until !== null && paused_until > now
        ? 'paused'
        : failing_since === null
          ? 'ok'
          : 'failing',
    paused_until,
    failing_since,
    disabled_from: failing_since === null ? null : disabledFrom(failing_since),
    last_success_at: state?.last_success_at ?? null,
    last_failure_at: state?.last_failure_at ?? null,
    last_error: state?.last_error ?? null,
  };
}
