import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** What GitHub sends: webhooks, and the deliveries they received in partitions that retention can drop whole. */
export class Deliveries1790000000002 implements MigrationInterface {
  name = 'Deliveries1790000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
    CREATE TABLE deliveries (
      id uuid NOT NULL,
      created_at timestamptz(3) NOT NULL,
      webhook_id uuid NOT NULL,
      org_id uuid NOT NULL,
      guid text NOT NULL,
      event_type text NOT NULL,
      status text NOT NULL,
      reason text,
      error text,
      payload_summary jsonb NOT NULL DEFAULT '{}',
      actions text array NOT NULL DEFAULT '{}',
      task_id bigint,
      attempts integer NOT NULL DEFAULT 1,
      decision jsonb NOT NULL DEFAULT '{}',
      headers jsonb NOT NULL DEFAULT '{}',
      body bytea NOT NULL,
      body_size integer NOT NULL,
      body_sha256 bytea NOT NULL,
      correlation_id uuid NOT NULL,
      processed_at timestamptz,
      CONSTRAINT deliveries_status_check CHECK (status IN ('received','processed','failed')),
      CONSTRAINT deliveries_pkey PRIMARY KEY (id, created_at)
    ) PARTITION BY RANGE (created_at)`);
    await runner.query(`
    CREATE TABLE delivery_keys (
      webhook_id uuid NOT NULL,
      guid text NOT NULL,
      body_sha256 bytea NOT NULL,
      delivery_id uuid NOT NULL,
      replay boolean NOT NULL DEFAULT false,
      duplicates integer NOT NULL DEFAULT 0,
      created_at timestamptz NOT NULL,
      CONSTRAINT delivery_keys_pkey PRIMARY KEY (webhook_id, guid)
    )`);
    await runner.query(`
    CREATE TABLE webhooks (
      id uuid NOT NULL,
      org_id uuid NOT NULL,
      team_id uuid,
      name text NOT NULL,
      provider text NOT NULL DEFAULT 'github',
      secret bytea NOT NULL,
      secret_hint text NOT NULL,
      previous_secret bytea,
      previous_secret_expires_at timestamptz,
      events text array NOT NULL,
      active boolean NOT NULL DEFAULT true,
      config jsonb NOT NULL DEFAULT '{}',
      hook_facts jsonb,
      revision integer NOT NULL DEFAULT 1,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT webhooks_provider_check CHECK (provider IN ('github','gitlab','bitbucket','custom')),
      CONSTRAINT webhooks_pkey PRIMARY KEY (id)
    )`);
    await runner.query(`CREATE INDEX deliveries_task_idx ON deliveries (task_id) WHERE task_id IS NOT NULL`);
    await runner.query(`CREATE INDEX deliveries_webhook_idx ON deliveries (webhook_id, created_at, id)`);
    await runner.query(
      `CREATE UNIQUE INDEX delivery_keys_body_key ON delivery_keys (webhook_id, body_sha256) WHERE NOT replay`,
    );
    await runner.query(`CREATE INDEX webhooks_org_idx ON webhooks (org_id, created_at, id)`);
    await runner.query(`CREATE INDEX delivery_keys_created_idx ON delivery_keys USING brin (created_at)`);
    await runner.query(
      `ALTER TABLE webhooks ADD CONSTRAINT webhooks_org_fkey FOREIGN KEY (org_id) REFERENCES organizations(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE webhooks ADD CONSTRAINT webhooks_team_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE SET NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE deliveries, delivery_keys, webhooks`);
  }
}
