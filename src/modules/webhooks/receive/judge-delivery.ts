import { DomainError } from '../../../errors/domain-error.js';
import { type FilterVerdict } from '../../deliveries/delivery-decision.js';
import { type DeliveryStatus } from '../../deliveries/delivery.entity.js';
import { type SourceAction, type SourceChange } from '../../tasks/source-change.js';
import { writeBackOf } from '../webhook-config.js';
import { listensTo } from '../webhook-events.js';
import { type HookFacts } from '../webhook.entity.js';
import { bodyTime } from './body-time.js';
import { learnFacts } from './hook-facts.js';
import {
  assertFits,
  claimedEvent,
  eventHeader,
  type EventName,
  guidOf,
  identifyEvent,
} from './identify-event.js';
import { flagField, type JsonObject, objectField, textField } from './json-fields.js';
import { labelName, mapItem, otherKey, sourceAction } from './map-item.js';
import { mediaType, parsePayload } from './parse-payload.js';
import { type Received } from './received.js';
import { pushAction, summarise } from './summarise-payload.js';
import { isTrusted } from './trust.js';

/** What a verified delivery is to do, decided from it and its webhook alone. */
export interface Judgement {
  guid: string;
  body_time: Date;
  event_type: string;
  status: DeliveryStatus;
  reason: string | null;
  /** Answered to the sender instead of a 2xx, after the delivery has been recorded as failed. */
  failure: DomainError | null;
  filters: FilterVerdict[];
  warnings: string[];
  actions: string[];
  change: SourceChange | null;
  summary: Record<string, unknown>;
  /** What the delivery tells about the hook on GitHub, where that is new. */
  facts: HookFacts | null;
}

/** Every filter says its verdict, also when an earlier one has decided: that is what `explain` shows. */
export function judgeDelivery(received: Received, body: Buffer): Judgement {
  const { webhook, headers } = received;
  const judgement: Judgement = {
    guid: received.body_sha256.toString('hex'),
    body_time: bodyTime(body),
    event_type: claimedEvent(headers),
    status: 'processed',
    reason: null,
    failure: null,
    filters: [],
    warnings: [],
    actions: [],
    change: null,
    summary: {},
    facts: null,
  };
  try {
    judgement.guid = guidOf(headers, received.body_sha256);
    const { event, payload } = readEvent(headers, body, judgement);
    assertFits(event, payload);
    decide(received, event, payload, judgement);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    fail(judgement, error);
  }
  if (!webhook.active) {
    judgement.filters.unshift({ filter: 'active', passed: false, detail: 'the webhook is disabled' });
    fail(judgement, new DomainError('webhook_disabled', 'The webhook is disabled'));
  } else judgement.filters.unshift({ filter: 'active', passed: true, detail: 'the webhook is enabled' });
  return judgement;
}

function fail(judgement: Judgement, failure: DomainError): void {
  judgement.status = 'failed';
  judgement.reason = failure.code;
  judgement.failure = failure;
  judgement.actions = [];
  judgement.change = null;
  judgement.facts = null;
}

function readEvent(
  headers: Record<string, string>,
  body: Buffer,
  judgement: Judgement,
): { event: EventName; payload: JsonObject } {
  const header = eventHeader(headers);
  const type = mediaType(headers['content-type']);
  const encoding = headers['content-encoding'];
  if (type === null || (encoding !== undefined && encoding.toLowerCase() !== 'identity'))
    throw new DomainError(
      'unsupported_media_type',
      'Send application/json or application/x-www-form-urlencoded, not compressed',
    );
  if (type === 'form') judgement.warnings.push('content_type_form');
  const payload = parsePayload(body, type);
  const event = identifyEvent(header, payload);
  judgement.event_type = event.type;
  judgement.summary = summarise(event, payload);
  return { event, payload };
}

function decide(received: Received, event: EventName, payload: JsonObject, judgement: Judgement): void {
  const { webhook } = received;
  judgement.facts = learnFacts(webhook.hook_facts, event, payload, received.created_at);
  if (event.event === 'ping') {
    judgement.actions = ['pong'];
    return;
  }
  const ignore = (reason: string): void => {
    if (judgement.status === 'processed') judgement.reason = reason;
    judgement.status = 'received';
  };
  const note = (reason: string): void => {
    if (judgement.status === 'processed') judgement.reason ??= reason;
  };
  const filter = (name: string, passed: boolean, detail: string): boolean => {
    judgement.filters.push({ filter: name, passed, detail });
    return passed;
  };

  if (
    !filter(
      'events',
      listensTo(webhook.events, event.type),
      `${event.type} against ${webhook.events.join(', ')}`,
    )
  )
    ignore('event_not_subscribed');
  if (!filter('repository', ...boundRepository(webhook.config.repository, payload)))
    ignore('repository_not_allowed');
  if (judgement.status !== 'processed') return;

  if (event.event === 'push') judgement.actions = [pushAction(payload)];
  const kind = event.event === 'issues' ? 'issue' : event.event === 'pull_request' ? 'pull_request' : null;
  const action = sourceAction(event.action);
  if (kind === null || action === null) {
    if (judgement.actions.length === 0) note('no_effect');
    return;
  }
  const { team_id } = webhook;
  if (
    !filter(
      'team',
      team_id !== null,
      team_id === null ? 'the webhook has no team' : `tasks go to team ${team_id}`,
    )
  )
    note('no_team');
  const sync = webhook.config.lifecycle === 'sync';
  if (
    !filter(
      'lifecycle',
      sync || action === 'opened',
      sync ? 'every event of an item counts ("sync")' : 'only "opened" counts ("create")',
    )
  )
    note('lifecycle_create_only');
  const label = labelName(objectField(payload, 'label'));
  if (sync && isOwnLabel(writeBackOf(webhook.config)?.label ?? null, action, label)) {
    filter('own_write_back', false, 'the label is the one that config.write_back sets');
    note('own_write_back');
  }
  const item = objectField(payload, kind);
  const trust = webhook.config.trust ?? 'anyone';
  const association = textField(item, 'author_association', 50) ?? 'not given';
  const trusted = filter(
    'trust',
    isTrusted(trust, item),
    `config.trust is "${trust}", author_association ${association}`,
  );
  if (judgement.reason !== null || team_id === null) return;

  const draft = sync && flagField(item, 'draft') === true;
  const other_key = otherKey(kind, action, payload);
  judgement.change = {
    action,
    org_id: webhook.org_id,
    team_id,
    webhook_id: webhook.id,
    delivery_id: received.delivery_id,
    correlation_id: received.correlation_id,
    sender: textField(objectField(payload, 'sender'), 'login', 255),
    item: mapItem(kind, payload, `delivery:${webhook.id}:${judgement.guid}`),
    ...(label === null ? {} : { label }),
    ...(action === 'closed' ? { merged: event.type === 'pull_request.merged' } : {}),
    ...(other_key === null ? {} : { other_key }),
    policy: {
      auto_assign: webhook.config.auto_assign ?? false,
      auto_assign_role: webhook.config.auto_assign_role ?? null,
      label_priorities: webhook.config.label_priorities ?? null,
      hold_reason: !trusted ? 'awaiting_release' : draft ? 'draft' : null,
      sync,
    },
  };
}

/** Whoever set or took away the label that write-back sets: it says how the task stands, and changes nothing about it. */
const isOwnLabel = (own: string | null, action: SourceAction, label: string | null): boolean =>
  own !== null &&
  (action === 'labeled' || action === 'unlabeled') &&
  label?.trim().toLowerCase() === own.toLowerCase();

/** By numeric id where one is given, which survives a renaming; else by name, in any case. */
function boundRepository(bound: string | number | undefined, payload: JsonObject): [boolean, string] {
  if (bound === undefined) return [true, 'every repository is accepted'];
  const repository = objectField(payload, 'repository');
  const name = textField(repository, 'full_name', 255);
  const id = repository !== null && Object.hasOwn(repository, 'id') ? repository['id'] : null;
  const given = `${name ?? 'no repository'} against ${bound}`;
  return typeof bound === 'number'
    ? [id === bound, given]
    : [name !== null && name.toLowerCase() === bound.toLowerCase(), given];
}
