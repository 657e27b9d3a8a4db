import { Injectable } from '@nestjs/common';
import { type EntityManager, type QueryRunner } from 'typeorm';
import { idTime } from '../../database/new-id.js';
import { prepared } from '../../database/prepared.js';
import { type Delivery, type DeliveryStatus } from './delivery.entity.js';
import { guidKey } from './guid-key.js';

/** Claims a GUID, and the body unless `replay`, for one delivery. */
export interface KeyClaim {
  webhook_id: string;
  guid: string;
  /** When what the body tells of was changed, by its own account. */
  body_time: Date;
  body_sha256: Buffer;
  delivery_id: string;
  replay: boolean;
  created_at: Date;
}

/** The delivery that has the GUID, or else the body, that another one claimed. */
export interface KeyHolder {
  delivery_id: string;
  same_guid: boolean;
  body_sha256: Buffer;
}

/** What is known of the delivery that holds a key. */
export interface KnownDelivery {
  id: string;
  status: DeliveryStatus;
  reason: string | null;
  task_id: number | null;
  event_type: string;
  actions: string[];
  correlation_id: string;
}

export type NewDelivery = Omit<Delivery, 'attempts'>;

export type DeliveryOutcome = Pick<
  Delivery,
  'id' | 'event_type' | 'status' | 'reason' | 'error' | 'actions' | 'task_id' | 'decision' | 'payload_summary'
> & { processed_at: Date | null };

const CLAIM = `
  INSERT INTO delivery_keys (webhook_id, guid, body_time, body_sha256, delivery_id, replay, created_at)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bytea[], $5::uuid[], $6::boolean[], $7::timestamptz[])
  ON CONFLICT DO NOTHING RETURNING delivery_id`;

const HOLDERS = `
  SELECT DISTINCT ON (c.delivery_id) c.delivery_id AS claimed_by, k.delivery_id, k.guid = c.guid AS same_guid, k.body_sha256
  FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bytea[], $5::uuid[])
    AS c(webhook_id, guid, body_time, body_sha256, delivery_id)
  JOIN delivery_keys k ON k.webhook_id = c.webhook_id
    AND (k.guid = c.guid OR (k.body_time = c.body_time AND k.body_sha256 = c.body_sha256 AND NOT k.replay))
  ORDER BY c.delivery_id, k.guid = c.guid DESC`;

const LOCK_DELIVERIES = `
  SELECT d.id, d.status, d.reason, d.task_id, d.event_type, d.actions, d.correlation_id
  FROM unnest($1::uuid[], $2::timestamptz[]) AS w(id, created_at)
  JOIN deliveries d ON d.id = w.id AND d.created_at = w.created_at
  ORDER BY d.id FOR UPDATE OF d`;

const COUNT_DUPLICATES = `
  UPDATE delivery_keys k SET duplicates = k.duplicates + c.times
  FROM unnest($1::uuid[], $2::text[], $3::int[]) AS c(webhook_id, guid, times)
  WHERE k.webhook_id = c.webhook_id AND k.guid = c.guid`;

const TEXTS = 'ARRAY(SELECT jsonb_array_elements_text';

const COLUMNS = `id, created_at, webhook_id, org_id, guid, event_type, status, reason, error, task_id, payload_summary, actions,
  decision, headers, body, body_size, body_sha256, correlation_id, processed_at`;

const VALUES = `id, created_at, webhook_id, org_id, guid, event_type, status, reason, error, task_id, payload_summary,
  ${TEXTS}(actions)), decision, headers, substring($15::bytea FROM body_at FOR body_length), body_size, body_sha256,
  correlation_id, processed_at`;

/** All bodies come as one value: an array of `bytea` would be sent as text, twice as long, and parsed by the server. */
const rowsGiven = (types = '', names = ''): string => `
  unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::bigint[], $11::jsonb[], $12::jsonb[], $13::jsonb[], $14::jsonb[], $16::int[], $17::int[],
    $18::int[], $19::bytea[], $20::uuid[], $21::timestamptz[]${types})
    AS n(id, created_at, webhook_id, org_id, guid, event_type, status, reason, error, task_id, payload_summary,
      actions, decision, headers, body_at, body_length, body_size, body_sha256, correlation_id, processed_at${names})`;

const INSERT = `INSERT INTO deliveries (${COLUMNS}) SELECT ${VALUES} FROM ${rowsGiven()}`;

/** One row of `webhooks` is looked up for each: a join planned while there were few webhooks would read all of them. */
const INSERT_NEW = `
  WITH given AS MATERIALIZED (
    SELECT * FROM ${rowsGiven(', $22::text[], $23::timestamptz[], $24::int[], $25::uuid[]', ', guid_key, body_time, revision, team_id')}
  ), claimed AS (
    INSERT INTO delivery_keys (webhook_id, guid, body_time, body_sha256, delivery_id, created_at)
    SELECT webhook_id, guid_key, body_time, body_sha256, id, created_at FROM given
    WHERE (SELECT w.revision = given.revision AND w.team_id IS NOT DISTINCT FROM given.team_id
           FROM webhooks w WHERE w.id = given.webhook_id)
    ON CONFLICT DO NOTHING RETURNING delivery_id
  )
  INSERT INTO deliveries (${COLUMNS})
  SELECT ${VALUES} FROM given WHERE id IN (SELECT delivery_id FROM claimed)
  RETURNING id`;

const TRY_AGAIN = `
  UPDATE deliveries d SET attempts = d.attempts + 1, event_type = n.event_type, status = n.status, reason = n.reason,
    error = n.error, task_id = coalesce(n.task_id, d.task_id), actions = ${TEXTS}(n.actions)),
    decision = n.decision, payload_summary = n.payload_summary, processed_at = n.processed_at
  FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
    $8::jsonb[], $9::jsonb[], $10::jsonb[], $11::timestamptz[])
    AS n(id, created_at, event_type, status, reason, error, task_id, actions, decision, payload_summary, processed_at)
  WHERE d.id = n.id AND d.created_at = n.created_at`;

const COUNT_ATTEMPTS = `
  UPDATE deliveries d SET attempts = d.attempts + n.times
  FROM (SELECT id, created_at, count(*)::int AS times FROM unnest($1::uuid[], $2::timestamptz[]) AS u(id, created_at)
        GROUP BY id, created_at) AS n
  WHERE d.id = n.id AND d.created_at = n.created_at`;

const timeOf = (id: string): Date => idTime(id) ?? new Date(0);

/** Told of deliveries with a valid signature that are recorded as failed. */
export type FailureListener = (manager: EntityManager, rows: NewDelivery[]) => Promise<void>;

const isFailure = ({ status, decision: { signature } }: NewDelivery): boolean =>
  status === 'failed' && (signature === 'valid' || signature === 'valid_previous');

/** The statements of the receiving transaction: each handles a whole batch, named so that it is planned once. */
@Injectable()
export class DeliveryRecords {
  private readonly listeners: FailureListener[] = [];

  /** Runs `listener` inside the transaction that records them. */
  onFailed(listener: FailureListener): void {
    this.listeners.push(listener);
  }

  /** @returns ids of the deliveries whose claim was granted; each other one came before, by GUID or by body. */
  async claim(runner: QueryRunner, claims: KeyClaim[]): Promise<Set<string>> {
    const sorted = claims.toSorted(inKeyOrder);
    const rows = await prepared<{ delivery_id: string }>(
      runner,
      { name: 'delivery_keys_claim', text: CLAIM },
      [
        sorted.map((claim) => claim.webhook_id),
        sorted.map((claim) => guidKey(claim.guid)),
        sorted.map((claim) => claim.body_time),
        sorted.map((claim) => claim.body_sha256),
        sorted.map((claim) => claim.delivery_id),
        sorted.map((claim) => claim.replay),
        sorted.map((claim) => claim.created_at),
      ],
    );
    return new Set(rows.map((row) => row.delivery_id));
  }

  /** Who holds the key of each claim that was not granted: by GUID where there is one, else by body. */
  async holders(runner: QueryRunner, claims: KeyClaim[]): Promise<Map<string, KeyHolder>> {
    const rows = await prepared<KeyHolder & { claimed_by: string }>(
      runner,
      { name: 'delivery_keys_holders', text: HOLDERS },
      [
        claims.map((claim) => claim.webhook_id),
        claims.map((claim) => guidKey(claim.guid)),
        claims.map((claim) => claim.body_time),
        claims.map((claim) => claim.body_sha256),
        claims.map((claim) => claim.delivery_id),
      ],
    );
    return new Map(rows.map((row) => [row.claimed_by, row]));
  }

  /** Locks deliveries until the transaction ends, so that only one request at a time tries one again. */
  async lock(runner: QueryRunner, ids: string[]): Promise<Map<string, KnownDelivery>> {
    if (ids.length === 0) return new Map();
    const rows = await prepared<Omit<KnownDelivery, 'task_id'> & { task_id: string | number | null }>(
      runner,
      { name: 'deliveries_lock', text: LOCK_DELIVERIES },
      [ids, ids.map(timeOf)],
    );
    return new Map(
      rows.map((row) => [row.id, { ...row, task_id: row.task_id === null ? null : Number(row.task_id) }]),
    );
  }

  async countDuplicates(
    runner: QueryRunner,
    counts: { webhook_id: string; guid: string; times: number }[],
  ): Promise<void> {
    if (counts.length === 0) return;
    await prepared(runner, { name: 'delivery_keys_count', text: COUNT_DUPLICATES }, [
      counts.map((count) => count.webhook_id),
      counts.map((count) => guidKey(count.guid)),
      counts.map((count) => count.times),
    ]);
  }

  async insert(runner: QueryRunner, rows: NewDelivery[]): Promise<void> {
    if (rows.length === 0) return;
    await prepared(runner, { name: 'deliveries_insert', text: INSERT }, columnsOf(rows));
    const failed = rows.filter(isFailure);
    if (failed.length > 0) for (const listener of this.listeners) await listener(runner.manager, failed);
  }

  /**
   * Claims the keys and writes the rows, of deliveries that did not fail, in one statement: without a transaction around
   * it, it is one.
   * @returns ids of those written; of each other one the key is taken, or its webhook is no longer as `seen`.
   */
  async insertNew(
    runner: QueryRunner,
    rows: {
      row: NewDelivery;
      claim: Key & Pick<KeyClaim, 'body_time'>;
      seen: { revision: number; team_id: string | null };
    }[],
  ): Promise<Set<string>> {
    const sorted = rows.toSorted((a, b) => inKeyOrder(a.claim, b.claim));
    const written = await prepared<{ id: string }>(
      runner,
      { name: 'deliveries_insert_new', text: INSERT_NEW },
      [
        ...columnsOf(sorted.map(({ row }) => row)),
        sorted.map(({ claim }) => guidKey(claim.guid)),
        sorted.map(({ claim }) => claim.body_time),
        sorted.map(({ seen }) => seen.revision),
        sorted.map(({ seen }) => seen.team_id),
      ],
    );
    return new Set(written.map(({ id }) => id));
  }

  /** Writes the outcome of a further attempt. */
  async tryAgain(runner: QueryRunner, rows: DeliveryOutcome[]): Promise<void> {
    if (rows.length === 0) return;
    await prepared(runner, { name: 'deliveries_try_again', text: TRY_AGAIN }, [
      rows.map((row) => row.id),
      rows.map((row) => timeOf(row.id)),
      rows.map((row) => row.event_type),
      rows.map((row) => row.status),
      rows.map((row) => row.reason),
      rows.map((row) => row.error),
      rows.map((row) => row.task_id),
      rows.map((row) => JSON.stringify(row.actions)),
      rows.map((row) => JSON.stringify(row.decision)),
      rows.map((row) => JSON.stringify(row.payload_summary)),
      rows.map((row) => row.processed_at),
    ]);
  }

  /** Counts a further attempt that changed nothing: what the first one did stays on record. */
  async countAttempts(runner: QueryRunner, ids: string[]): Promise<void> {
    if (ids.length > 0)
      await prepared(runner, { name: 'deliveries_count_attempts', text: COUNT_ATTEMPTS }, [
        ids,
        ids.map(timeOf),
      ]);
  }
}

type Key = Pick<KeyClaim, 'webhook_id' | 'guid'>;

/** One order in every process: two batches that claim the same keys then never wait for each other crosswise. */
const inKeyOrder = (a: Key, b: Key): number =>
  a.webhook_id === b.webhook_id ? compare(a.guid, b.guid) : compare(a.webhook_id, b.webhook_id);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The values of `rowsGiven`. */
function columnsOf(rows: NewDelivery[]): unknown[] {
  let at = 1;
  const places = rows.map(({ body }) => (at += body.length) - body.length);
  return [
    rows.map((row) => row.id),
    rows.map((row) => row.created_at),
    rows.map((row) => row.webhook_id),
    rows.map((row) => row.org_id),
    rows.map((row) => row.guid),
    rows.map((row) => row.event_type),
    rows.map((row) => row.status),
    rows.map((row) => row.reason),
    rows.map((row) => row.error),
    rows.map((row) => row.task_id),
    rows.map((row) => JSON.stringify(row.payload_summary)),
    rows.map((row) => JSON.stringify(row.actions)),
    rows.map((row) => JSON.stringify(row.decision)),
    rows.map((row) => JSON.stringify(row.headers)),
    Buffer.concat(rows.map((row) => row.body)),
    places,
    rows.map((row) => row.body.length),
    rows.map((row) => row.body_size),
    rows.map((row) => row.body_sha256),
    rows.map((row) => row.correlation_id),
    rows.map((row) => row.processed_at),
  ];
}
