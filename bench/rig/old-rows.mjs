// Deliveries and tasks of the past, written by SQL: what a webhook and two teams would have left behind in ten weeks.
import { DataSource } from 'typeorm';
import { connectionOptions } from '../../dist/src/database/connection-options.js';
import { packBody } from '../../dist/src/modules/deliveries/body-codec.facade.js';
import { DeliveryPartitions } from '../../dist/src/modules/deliveries/delivery-partitions.service.js';
import { nextBody } from './payloads.mjs';

const WEEKS = 10;
const BATCH = 50_000;

/** A uuid v7 carries its time: deliveries are found by it. */
const ID = `(lpad(to_hex((extract(epoch FROM o.at) * 1000)::bigint), 12, '0') || '7'
      || substr(md5(o.n::text), 1, 3) || '8' || substr(md5(o.n::text), 4, 15))::uuid`;

/** Row `n` is a delivery, its key, its source, its task with the audit trail of one run, and that run. */
const LOAD = [
  `CREATE TEMP TABLE old ON COMMIT DROP AS
   SELECT o.n, o.at, ${ID} AS id, gen_random_uuid() AS run_id FROM (
     SELECT n, date_trunc('milliseconds', now() - interval '${WEEKS * 7} days' * (1 - n::float8 / $3)) AS at
     FROM generate_series($1::bigint, $2::bigint) n) o`,
  `INSERT INTO tasks (id, org_id, team_id, title, description, status, assignee_id, auto_assign, branch, correlation_id,
     created_at, updated_at, completed_at)
   OVERRIDING SYSTEM VALUE
   SELECT n, $1, ($2::uuid[])[1 + n % 2], 'Issue ' || n, 'It does not work as it should.', 'done', ($3::uuid[])[1 + n % 2], true, 'task-' || n, id, at, at, at FROM old`,
  `INSERT INTO task_sources (org_id, key, task_id, webhook_id, kind, repository_id, repository, number, url, created_at)
   SELECT $1, 'github.com/repositories/1/issues/' || n, n, $2, 'issue', 1, 'octo/hello', n,
     'https://github.com/octo/hello/issues/' || n, at FROM old`,
  `INSERT INTO agent_runs (id, org_id, team_id, task_id, agent_id, attempt, status, runtime, fencing_token,
     lease_expires_at, heartbeat_at, prompt, correlation_id, started_at, finished_at)
   SELECT run_id, $1, ($2::uuid[])[1 + n % 2], n, ($3::uuid[])[1 + n % 2], 1, 'succeeded', 'http', n, at, at, repeat('What there is to do. ', 40), id, at, at
   FROM old`,
  `INSERT INTO task_events (org_id, task_id, type, data, metadata, created_at)
   SELECT $1, n, type, jsonb_build_object('run_id', run_id),
     jsonb_build_object('actor', '{"type":"system","id":"dispatch"}'::jsonb, 'correlation_id', id), at
   FROM old, unnest(ARRAY['task.created', 'task.assigned', 'task.status_changed', 'run.started', 'run.succeeded',
     'task.status_changed']) type`,
  `INSERT INTO delivery_keys (webhook_id, guid, body_time, body_sha256, delivery_id, created_at)
   SELECT $1, id::text, date_trunc('seconds', at), sha256(id::text::bytea), id, at FROM old`,
  `INSERT INTO deliveries (id, created_at, webhook_id, org_id, guid, event_type, status, payload_summary, actions, task_id,
     headers, body, body_size, body_sha256, correlation_id, processed_at)
   SELECT id, at, $2, $1, id::text, 'issues.opened', 'processed', '{"action":"opened"}', '{task_created}', n,
     '{"user-agent":"GitHub-Hookshot/044aadd","content-type":"application/json"}', $3, $4, sha256(id::text::bytea), id, at
   FROM old`,
];

/**
 * Brings a database from `from` to `to` old deliveries and tasks.
 * @param owner { org_id, team_ids, webhook_id, agent_ids } whose they are.
 * @param total the most that will ever be loaded: ids of tasks up to it are kept free.
 */
export async function loadOldRows(database, db, owner, from, to, total) {
  const source = await new DataSource(connectionOptions(database, [], 2)).initialize();
  await new DeliveryPartitions(source).ensure(new Date(Date.now() - WEEKS * 7 * 24 * 3_600_000), WEEKS + 1);
  await source.destroy();
  const raw = Buffer.from(nextBody('issues'));
  const body = await packBody(raw);
  const { org_id, team_ids, webhook_id, agent_ids } = owner;
  // Task ids are given out from beyond the old ones, whatever was made before.
  await db.query(
    `SELECT setval(pg_get_serial_sequence('tasks', 'id'), greatest($1, nextval(pg_get_serial_sequence('tasks', 'id'))))`,
    [total + 1],
  );
  // Triggers and foreign keys hold for rows as the service writes them; these are made to fit.
  await db.query(`SET session_replication_role = replica`);
  await db.query('SET synchronous_commit = off');
  const values = [
    null,
    [org_id, team_ids, agent_ids],
    [org_id, webhook_id],
    [org_id, team_ids, agent_ids],
    [org_id],
    [webhook_id],
    [org_id, webhook_id, body, raw.length],
  ];
  for (let first = from + 1; first <= to; first += BATCH) {
    await db.query('BEGIN');
    for (const [index, sql] of LOAD.entries())
      await db.query(sql, values[index] ?? [first, Math.min(to, first + BATCH - 1), total]);
    await db.query('COMMIT');
  }
  await db.query('RESET session_replication_role');
  await db.query('RESET synchronous_commit');
  await db.query('VACUUM (ANALYZE)');
}
