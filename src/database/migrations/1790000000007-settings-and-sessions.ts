import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** What teams set for themselves: limits, policies, and the rules that their agents are told. */
export class SettingsAndSessions1790000000007 implements MigrationInterface {
  name = 'SettingsAndSessions1790000000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
    CREATE TABLE team_settings (
      team_id uuid NOT NULL,
      "values" jsonb NOT NULL,
      updated_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT team_settings_values_check CHECK (jsonb_typeof("values") = 'object'),
      CONSTRAINT team_settings_pkey PRIMARY KEY (team_id)
    )`);
    await runner.query(`
    CREATE TABLE team_conventions (
      team_id uuid NOT NULL,
      key text NOT NULL,
      content text NOT NULL,
      active boolean NOT NULL DEFAULT true,
      updated_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT team_conventions_content_check CHECK (char_length(content) BETWEEN 1 AND 4000),
      CONSTRAINT team_conventions_pkey PRIMARY KEY (team_id, key)
    )`);
    await runner.query(
      `ALTER TABLE team_settings ADD CONSTRAINT team_settings_team_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE`,
    );
    await runner.query(
      `ALTER TABLE team_conventions ADD CONSTRAINT team_conventions_team_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE team_settings, team_conventions`);
  }
}
