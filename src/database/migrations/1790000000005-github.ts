import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Talking back to GitHub: credentials, the comment each task keeps on its issue, and the check for missed deliveries. */
export class Github1790000000005 implements MigrationInterface {
  name = 'Github1790000000005';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
    CREATE TABLE github_credentials (
      org_id uuid NOT NULL,
      kind text NOT NULL,
      secret bytea NOT NULL,
      hint text,
      app_id bigint,
      installation_id bigint,
      base_url text NOT NULL,
      login text,
      last_checked_at timestamptz,
      last_error text,
      paused_until timestamptz,
      revision uuid NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT github_credentials_kind_check CHECK (kind IN ('token','app')),
      CONSTRAINT github_credentials_app_check CHECK ((kind = 'app') = (app_id IS NOT NULL AND installation_id IS NOT NULL)),
      CONSTRAINT github_credentials_pkey PRIMARY KEY (org_id)
    )`);
    await runner.query(`
    CREATE TABLE github_write_backs (
      task_id bigint NOT NULL,
      org_id uuid NOT NULL,
      status text NOT NULL,
      wanted integer NOT NULL DEFAULT 1,
      written integer NOT NULL DEFAULT 0,
      marker uuid NOT NULL,
      comment_id bigint,
      comment_url text,
      comment_sha256 text,
      create_started_at timestamptz,
      labelled_at timestamptz,
      closed_for timestamptz,
      due_at timestamptz,
      lease uuid,
      leased_until timestamptz,
      failures integer NOT NULL DEFAULT 0,
      last_error text,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT github_write_backs_status_check CHECK (status IN ('waiting','pending','paused','retrying','current','failed')),
      CONSTRAINT github_write_backs_pkey PRIMARY KEY (task_id)
    )`);
    await runner.query(
      `ALTER TABLE github_credentials ADD CONSTRAINT github_credentials_org_fkey FOREIGN KEY (org_id) REFERENCES organizations(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE github_write_backs ADD CONSTRAINT github_write_backs_task_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE github_write_backs ADD CONSTRAINT github_write_backs_org_fkey FOREIGN KEY (org_id) REFERENCES organizations(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `CREATE INDEX github_write_backs_due_idx ON github_write_backs (due_at) WHERE due_at IS NOT NULL`,
    );
    await runner.query(`CREATE INDEX github_write_backs_org_idx ON github_write_backs (org_id, status)`);
    await runner.query(
      `CREATE INDEX github_write_backs_lease_idx ON github_write_backs (org_id) WHERE leased_until IS NOT NULL`,
    );
    await runner.query(`ALTER TABLE webhooks ADD COLUMN repair jsonb`);
    await runner.query(`ALTER TABLE webhooks ADD COLUMN repair_leased_until timestamptz`);
    await runner.query(
      `CREATE INDEX webhooks_write_back_idx ON webhooks (org_id) WHERE config -> 'write_back' <> 'false'`,
    );
    // Events come in many ways, raw SQL among them, and always before the commit of the change they tell of. The first
    // look costs organizations without write-back one descent of an index.
    await runner.query(`
    CREATE FUNCTION want_github_write_back() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NOT EXISTS (
        SELECT FROM webhooks WHERE org_id = ANY (ARRAY(SELECT DISTINCT org_id FROM new_events))
          AND config -> 'write_back' <> 'false') THEN
        RETURN NULL;
      END IF;
      INSERT INTO github_write_backs AS w (task_id, org_id, marker, status, due_at)
      SELECT s.task_id, s.org_id, gen_random_uuid(), CASE WHEN c.org_id IS NULL THEN 'waiting' ELSE 'pending' END,
        CASE WHEN c.org_id IS NULL THEN NULL ELSE clock_timestamp() END
      FROM task_sources s
      JOIN webhooks h ON h.id = s.webhook_id AND h.config -> 'write_back' <> 'false'
      LEFT JOIN github_credentials c ON c.org_id = s.org_id
      WHERE s.task_id = ANY (ARRAY(SELECT DISTINCT task_id FROM new_events))
        AND s.repository IS NOT NULL AND s.number IS NOT NULL
      ORDER BY s.task_id
      ON CONFLICT (task_id) DO UPDATE SET
        wanted = w.wanted + 1,
        status = CASE WHEN w.status IN ('paused', 'retrying') THEN w.status ELSE EXCLUDED.status END,
        failures = CASE WHEN w.status IN ('paused', 'retrying') THEN w.failures ELSE 0 END,
        due_at = CASE w.status WHEN 'paused' THEN w.due_at
          WHEN 'retrying' THEN LEAST(w.due_at, clock_timestamp() + interval '1 minute') ELSE EXCLUDED.due_at END,
        updated_at = now();
      IF FOUND THEN PERFORM pg_notify('entourage_write_backs', ''); END IF;
      RETURN NULL;
    END $$`);
    await runner.query(`
    CREATE TRIGGER task_events_write_back AFTER INSERT ON task_events REFERENCING NEW TABLE AS new_events
    FOR EACH STATEMENT EXECUTE FUNCTION want_github_write_back()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TRIGGER task_events_write_back ON task_events`);
    await runner.query(`DROP FUNCTION want_github_write_back()`);
    await runner.query(`DROP INDEX webhooks_write_back_idx`);
    await runner.query(`ALTER TABLE webhooks DROP COLUMN repair, DROP COLUMN repair_leased_until`);
    await runner.query(`DROP TABLE github_write_backs, github_credentials`);
  }
}
