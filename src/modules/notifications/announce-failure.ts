import { type EntityManager } from 'typeorm';
import { toJson } from '../tasks/tasks.facade.js';

/** A delivery, of either direction, that failed for good. */
export interface DeliveryFailure {
  org_id: string;
  team_id: string | null;
  task_id: number | null;
  correlation_id: string;
  /** The outbound webhook that failed: it is not told of it. */
  except: string | null;
  data: { direction: 'inbound' | 'outbound' } & Record<string, unknown>;
}

const ANNOUNCE = `
  WITH announced AS (
    INSERT INTO outbound_deliveries (id, webhook_id, org_id, team_id, task_id, event, body, correlation_id, status, error,
      finished_at)
    SELECT gen_random_uuid(), w.id, f.org_id, f.team_id, f.task_id, 'webhook.delivery_failed',
      outbound_body('webhook.delivery_failed', f.task_id, f.team_id, clock_timestamp(), NULL, f.data), f.correlation_id,
      CASE WHEN w.active THEN 'pending' ELSE 'suppressed' END,
      CASE WHEN w.active THEN NULL ELSE 'webhook_disabled' END,
      CASE WHEN w.active THEN NULL ELSE clock_timestamp() END
    FROM json_to_recordset($1) AS f (org_id uuid, team_id uuid, task_id bigint, correlation_id uuid, "except" uuid, data json)
    JOIN outbound_webhooks w ON w.org_id = f.org_id AND (w.team_id IS NULL OR w.team_id = f.team_id)
      AND w.events && ARRAY['webhook.delivery_failed', '*'] AND w.id IS DISTINCT FROM f."except"
    RETURNING 1
  )
  SELECT pg_notify('entourage_outbound', '') FROM announced LIMIT 1`;

/** Tells those who want to know, in the manager's transaction. */
export async function announceFailures(manager: EntityManager, failures: DeliveryFailure[]): Promise<void> {
  if (failures.length > 0) await manager.query(ANNOUNCE, [toJson(failures)]);
}
