import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Who there is: users, organizations and their teams, agents, keys and repositories. */
export class Accounts1790000000001 implements MigrationInterface {
  name = 'Accounts1790000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
    CREATE TABLE organizations (
      id uuid NOT NULL,
      name text NOT NULL,
      slug text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT organizations_pkey PRIMARY KEY (id)
    )`);
    await runner.query(`
    CREATE TABLE teams (
      id uuid NOT NULL,
      org_id uuid NOT NULL,
      name text NOT NULL,
      slug text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT teams_pkey PRIMARY KEY (id)
    )`);
    await runner.query(`
    CREATE TABLE agents (
      id uuid NOT NULL,
      org_id uuid NOT NULL,
      team_id uuid NOT NULL,
      name text NOT NULL,
      role text NOT NULL,
      model text NOT NULL,
      config jsonb NOT NULL DEFAULT '{}',
      runtime text NOT NULL DEFAULT 'pull',
      runtime_config jsonb NOT NULL DEFAULT '{}',
      runtime_secret bytea,
      status text NOT NULL DEFAULT 'idle',
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT agents_runtime_check CHECK (runtime IN ('pull','command','http')),
      CONSTRAINT agents_status_check CHECK (status IN ('idle','working','paused')),
      CONSTRAINT agents_role_check CHECK (role IN ('manager','engineer','reviewer')),
      CONSTRAINT agents_pkey PRIMARY KEY (id)
    )`);
    await runner.query(`
    CREATE TABLE api_keys (
      id uuid NOT NULL,
      org_id uuid NOT NULL,
      agent_id uuid,
      name text NOT NULL,
      prefix text NOT NULL,
      key_hash bytea NOT NULL,
      scopes text array NOT NULL,
      last_used_at timestamptz,
      expires_at timestamptz,
      revoked_at timestamptz,
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT api_keys_scopes_check CHECK (scopes <@ ARRAY['all','read','write','agent'] AND cardinality(scopes) > 0),
      CONSTRAINT api_keys_pkey PRIMARY KEY (id)
    )`);
    await runner.query(`
    CREATE TABLE users (
      id uuid NOT NULL,
      email text NOT NULL,
      name text NOT NULL,
      password_hash text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT users_email_lower_check CHECK (email = lower(email)),
      CONSTRAINT users_pkey PRIMARY KEY (id)
    )`);
    await runner.query(`
    CREATE TABLE refresh_tokens (
      id uuid NOT NULL,
      family_id uuid NOT NULL,
      user_id uuid NOT NULL,
      used_at timestamptz,
      revoked_at timestamptz,
      expires_at timestamptz NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT refresh_tokens_pkey PRIMARY KEY (id)
    )`);
    await runner.query(`
    CREATE TABLE memberships (
      org_id uuid NOT NULL,
      user_id uuid NOT NULL,
      role text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT memberships_role_check CHECK (role IN ('owner','admin','member')),
      CONSTRAINT memberships_pkey PRIMARY KEY (org_id, user_id)
    )`);
    await runner.query(`
    CREATE TABLE repositories (
      id uuid NOT NULL,
      org_id uuid NOT NULL,
      team_id uuid NOT NULL,
      name text NOT NULL,
      local_path text NOT NULL,
      default_branch text NOT NULL DEFAULT 'main',
      config jsonb NOT NULL DEFAULT '{}',
      created_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT repositories_pkey PRIMARY KEY (id)
    )`);
    await runner.query(`CREATE UNIQUE INDEX organizations_slug_key ON organizations (slug)`);
    await runner.query(`CREATE UNIQUE INDEX teams_org_slug_key ON teams (org_id, slug)`);
    await runner.query(
      `CREATE INDEX agents_idle_idx ON agents (team_id, created_at, id) WHERE status = 'idle'`,
    );
    await runner.query(`CREATE UNIQUE INDEX agents_team_name_key ON agents (team_id, name)`);
    await runner.query(`CREATE UNIQUE INDEX api_keys_key_hash_key ON api_keys (key_hash)`);
    await runner.query(`CREATE INDEX api_keys_org_idx ON api_keys (org_id, created_at, id)`);
    await runner.query(`CREATE UNIQUE INDEX users_email_key ON users (email)`);
    await runner.query(`CREATE INDEX refresh_tokens_user_idx ON refresh_tokens (user_id)`);
    await runner.query(`CREATE INDEX refresh_tokens_expires_idx ON refresh_tokens (expires_at)`);
    await runner.query(`CREATE INDEX refresh_tokens_family_idx ON refresh_tokens (family_id)`);
    await runner.query(`CREATE INDEX memberships_user_idx ON memberships (user_id)`);
    await runner.query(`CREATE UNIQUE INDEX repositories_team_name_key ON repositories (team_id, name)`);
    await runner.query(
      `ALTER TABLE teams ADD CONSTRAINT teams_org_fkey FOREIGN KEY (org_id) REFERENCES organizations(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE agents ADD CONSTRAINT agents_org_fkey FOREIGN KEY (org_id) REFERENCES organizations(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE agents ADD CONSTRAINT agents_team_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE api_keys ADD CONSTRAINT api_keys_org_fkey FOREIGN KEY (org_id) REFERENCES organizations(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE api_keys ADD CONSTRAINT api_keys_agent_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE refresh_tokens ADD CONSTRAINT refresh_tokens_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE memberships ADD CONSTRAINT memberships_org_fkey FOREIGN KEY (org_id) REFERENCES organizations(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE memberships ADD CONSTRAINT memberships_user_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE repositories ADD CONSTRAINT repositories_org_fkey FOREIGN KEY (org_id) REFERENCES organizations(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE repositories ADD CONSTRAINT repositories_team_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `DROP TABLE repositories, api_keys, agents, teams, memberships, organizations, refresh_tokens, users`,
    );
  }
}
