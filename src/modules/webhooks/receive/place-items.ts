import { type QueryRunner } from 'typeorm';
import {
  type DeliveryRecords,
  type KeyClaim,
  type KeyHolder,
  type KnownDelivery,
} from '../../deliveries/delivery-records.service.js';
import { type BatchItem, type Standing } from './batch-item.js';

/**
 * Finds out which items of a batch are new. Only what is verified claims a key, so that nobody without the secret can
 * block a GUID. Of equal ones in the batch the first claims; of equal ones in other transactions the first to commit.
 */
export async function placeItems(
  runner: QueryRunner,
  records: DeliveryRecords,
  items: BatchItem[],
): Promise<Map<BatchItem, Standing>> {
  const standings = new Map<BatchItem, Standing>();
  const first = new Map<string, BatchItem>();
  for (const item of items) {
    const key = `${item.received.webhook.id} ${item.judgement?.guid}`;
    const twin = first.get(key);
    if (twin === undefined) first.set(key, item);
    else if (twin.received.body_sha256.equals(item.received.body_sha256))
      standings.set(item, { kind: 'twin', of: twin });
    else standings.set(item, { kind: 'mismatch' });
  }
  const claimants = [...first.values()];
  if (claimants.length === 0) return standings;
  const byId = new Map(claimants.map((item) => [item.received.delivery_id, item]));
  const granted = await records.claim(
    runner,
    claimants.map((item) => claimOf(item)),
  );
  for (const item of claimants)
    if (granted.has(item.received.delivery_id)) standings.set(item, { kind: 'new' });
  const denied = claimants.filter((item) => !granted.has(item.received.delivery_id));
  if (denied.length === 0) return standings;

  const holders = await records.holders(
    runner,
    denied.map((item) => claimOf(item)),
  );
  const known = await records.lock(
    runner,
    [...new Set([...holders.values()].map((holder) => holder.delivery_id))].filter((id) => !byId.has(id)),
  );
  const replays: KeyClaim[] = [];
  for (const item of denied) {
    const holder = holders.get(item.received.delivery_id);
    const before = holder === undefined ? undefined : known.get(holder.delivery_id);
    const original = holder === undefined ? undefined : byId.get(holder.delivery_id);
    const standing = stand(item, holder, before, original);
    standings.set(item, standing);
    if (standing.kind === 'replayed' || standing.kind === 'new') replays.push(claimOf(item, true));
  }
  if (replays.length > 0) await records.claim(runner, replays);
  return standings;
}

function stand(
  item: BatchItem,
  holder: KeyHolder | undefined,
  before: KnownDelivery | undefined,
  original: BatchItem | undefined,
): Standing {
  // The holder was let go by retention between two statements: nothing is known of it any more.
  if (holder === undefined) return { kind: 'new' };
  if (!holder.same_guid) {
    // A sender that makes a new GUID for each try must get through once the first try has failed.
    if (before?.status === 'failed') return { kind: 'new' };
    return { kind: 'replayed', original: original ?? null, task_id: before?.task_id ?? null };
  }
  if (!holder.body_sha256.equals(item.received.body_sha256)) return { kind: 'mismatch' };
  const mayHaveEffectNow =
    before?.status === 'received' && before.reason !== 'replay' && item.judgement?.status === 'processed';
  if (before?.status === 'failed' || (before !== undefined && mayHaveEffectNow))
    return {
      kind: 'again',
      delivery_id: before.id,
      correlation_id: before.correlation_id,
      processed: false,
    };
  return {
    kind: 'duplicate',
    delivery_id: holder.delivery_id,
    task_id: before?.task_id ?? null,
    event_type: before?.event_type ?? item.judgement?.event_type ?? '',
  };
}

export const claimOf = ({ received, judgement }: BatchItem, replay = false): KeyClaim => ({
  webhook_id: received.webhook.id,
  guid: judgement?.guid ?? '',
  body_time: judgement?.body_time ?? new Date(0),
  body_sha256: received.body_sha256,
  delivery_id: received.delivery_id,
  // GitHub may well send the same `ping` twice, and each is answered: its body is not held.
  replay: replay || judgement?.event_type === 'ping',
  created_at: received.created_at,
});
