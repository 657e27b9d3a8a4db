import { DomainError } from '../../../errors/domain-error.js';
import { type DeliveryDecision } from '../../deliveries/delivery-decision.js';
import { type DeliveryOutcome, type NewDelivery } from '../../deliveries/delivery-records.service.js';
import { type BatchItem, type BatchResult, type Placed } from './batch-item.js';
import { claimedEvent, claimedGuid } from './identify-event.js';

const MISMATCH = new DomainError('guid_body_mismatch', 'This delivery id was used before for another body');

/** The row a request leaves behind; null where one exists already. */
export function recordOf(placed: Placed, others: Map<BatchItem, Placed>): NewDelivery | null {
  const { item, standing } = placed;
  switch (standing.kind) {
    case 'new':
      return newRecord(placed);
    case 'replayed':
      return {
        ...base(item),
        ...outcomeOf(placed),
        status: 'received',
        reason: 'replay',
        error: null,
        actions: [],
        task_id: originalTask(standing, others),
        processed_at: null,
      };
    case 'mismatch':
      return { ...base(item), ...outcomeOf(placed), ...failed(MISMATCH.code, MISMATCH.detail) };
    case 'refused':
      return item.refused === undefined
        ? null
        : {
            ...base(item),
            ...failed(item.refused.reason, item.refused.error),
            decision: { signature: item.received.verdict, warnings: item.refused.warnings ?? [] },
          };
    case 'again':
    case 'duplicate':
    case 'twin':
      break;
  }
  return null;
}

/** The row of a delivery that nothing was known of. */
export const newRecord = (placed: Placed): NewDelivery => ({ ...base(placed.item), ...outcomeOf(placed) });

/** A delivery on which the service itself failed. */
export const failedRecord = (item: BatchItem, error: unknown): NewDelivery => ({
  ...newRecord({ item, standing: { kind: 'new' }, outcome: null }),
  ...failed('processing_failed', error instanceof Error ? error.message.slice(0, 500) : 'unknown error'),
});

const failed = (
  reason: string,
  error: string | null,
): Partial<NewDelivery> & Pick<NewDelivery, 'status'> => ({
  status: 'failed',
  reason,
  error: error === null ? null : error.replaceAll('\0', '').toWellFormed(),
  actions: [],
  task_id: null,
  processed_at: null,
});

/** What is known before anything has happened. */
function base({ received, packed }: BatchItem): NewDelivery {
  return {
    id: received.delivery_id,
    created_at: received.created_at,
    webhook_id: received.webhook.id,
    org_id: received.webhook.org_id,
    guid: claimedGuid(received.headers, received.body_sha256),
    event_type: claimedEvent(received.headers),
    status: 'received',
    reason: null,
    error: null,
    task_id: null,
    payload_summary: {},
    actions: [],
    decision: {},
    headers: received.headers,
    body: packed,
    body_size: received.body_size,
    body_sha256: received.body_sha256,
    correlation_id: received.correlation_id,
    processed_at: null,
  };
}

/** What became of an item that was judged, in the columns that a further attempt writes again. */
export function outcomeOf({ item, standing, outcome }: Placed): DeliveryOutcome & { guid: string } {
  const { judgement, received } = item;
  if (judgement === null) throw new Error('a delivery is recorded before it was judged');
  const decision: DeliveryDecision = {
    signature: received.verdict,
    filters: judgement.filters,
    ...(judgement.warnings.length > 0 ? { warnings: judgement.warnings } : {}),
    ...(outcome?.assignment ? { assignment: outcome.assignment } : {}),
  };
  return {
    id: standing.kind === 'again' ? standing.delivery_id : received.delivery_id,
    guid: judgement.guid,
    event_type: judgement.event_type,
    status: judgement.status,
    reason: judgement.reason ?? outcome?.reason ?? null,
    error: judgement.failure?.detail ?? null,
    actions: [...judgement.actions, ...(outcome?.actions ?? [])],
    task_id: outcome?.task_id ?? null,
    decision,
    payload_summary: judgement.summary,
    processed_at: judgement.status === 'processed' ? new Date() : null,
  };
}

const originalTask = (
  standing: { original: BatchItem | null; task_id: number | null },
  others: Map<BatchItem, Placed>,
): number | null =>
  standing.original === null
    ? standing.task_id
    : (others.get(standing.original)?.outcome?.task_id ?? standing.task_id);

/** What the sender is told. */
export function resultOf(placed: Placed, others: Map<BatchItem, Placed>): BatchResult {
  const { item, standing } = placed;
  const task = (task_id: number | null): { task_id?: number } => (task_id === null ? {} : { task_id });
  switch (standing.kind) {
    case 'refused':
      return { failure: standing.failure };
    case 'mismatch':
      return { failure: MISMATCH };
    case 'duplicate':
      return {
        answer: {
          delivery_id: standing.delivery_id,
          status: 'duplicate',
          event_type: standing.event_type,
          actions: [],
          ...task(standing.task_id),
        },
      };
    case 'twin': {
      const first = others.get(standing.of);
      const result = first === undefined ? null : resultOf(first, others);
      if (result === null || 'failure' in result) return result ?? { failure: MISMATCH };
      return { answer: { ...result.answer, status: 'duplicate', actions: [] } };
    }
    case 'replayed':
      return {
        answer: {
          delivery_id: item.received.delivery_id,
          status: 'ignored',
          event_type: item.judgement?.event_type ?? 'unknown',
          actions: [],
          reason: 'replay',
          ...task(originalTask(standing, others)),
        },
      };
    case 'new':
    case 'again':
      break;
  }
  if (item.judgement?.failure) return { failure: item.judgement.failure };
  const { id, event_type, status, reason, actions, task_id } = outcomeOf(placed);
  return {
    answer: {
      delivery_id: id,
      status: status === 'processed' ? 'processed' : 'ignored',
      event_type,
      actions,
      ...task(task_id),
      ...(reason === null ? {} : { reason }),
    },
  };
}
