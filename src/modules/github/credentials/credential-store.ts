import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SecretBox } from '../../../secrets/secret-box.js';
import { type OpenCredential } from '../client/create-client.js';
import { GithubError } from '../client/github-error.js';
import { GithubCredential } from './github-credential.entity.js';

/** Binds the sealed secret to its row. */
export const secretPurpose = (org_id: string): string => `github_credentials:${org_id}:secret`;

/** The credentials as the parts that call GitHub need them: opened, with what GitHub says of them. */
@Injectable()
export class CredentialStore {
  constructor(
    private readonly db: DataSource,
    private readonly box: SecretBox,
  ) {}

  /** Which revision is in force, and for how many seconds calls are paused. */
  async standing(org_id: string): Promise<{ revision: string; paused_for: number | null } | null> {
    const [row] = await this.db.query<{ revision: string; paused_for: number | null }[]>(
      `SELECT revision, CASE WHEN paused_until > clock_timestamp()
         THEN extract(epoch FROM paused_until - clock_timestamp())::float8 END AS paused_for
       FROM github_credentials WHERE org_id = $1`,
      [org_id],
    );
    return row ?? null;
  }

  /** @throws GithubError `unauthorized` for a secret that does not open: the encryption key is not the one it was sealed with. */
  async open(org_id: string): Promise<OpenCredential | null> {
    const row = await this.db.getRepository(GithubCredential).findOneBy({ org_id });
    if (row === null) return null;
    const { revision, base_url, app_id, installation_id } = row;
    const secret = this.unseal(row);
    return app_id === null || installation_id === null
      ? { org_id, revision, base_url, token: secret }
      : { org_id, revision, base_url, app: { app_id, installation_id, private_key: secret } };
  }

  /** Organizations that have credentials and may call GitHub now. */
  async ready(): Promise<string[]> {
    const rows = await this.db.query<{ org_id: string }[]>(
      'SELECT org_id FROM github_credentials WHERE paused_until IS NULL OR paused_until <= now()',
    );
    return rows.map((row) => row.org_id);
  }

  /** Takes note of what a failed call says about the credentials: for all processes, and for people. */
  async heed(org_id: string, error: GithubError): Promise<void> {
    if (error.kind === 'rate_limited')
      await this.db.query(
        `UPDATE github_credentials
         SET paused_until = GREATEST(paused_until, clock_timestamp() + make_interval(secs => $2))
         WHERE org_id = $1`,
        [org_id, error.wait_seconds],
      );
    else if (error.kind === 'unauthorized') await this.note(org_id, { last_error: error.message });
  }

  /** A call succeeded: whatever was wrong is mended. */
  async works(org_id: string, login: string | null): Promise<void> {
    await this.db.query(
      `UPDATE github_credentials SET last_error = NULL, login = coalesce(login, $2)
       WHERE org_id = $1 AND (last_error IS NOT NULL OR login IS NULL AND $2::text IS NOT NULL)`,
      [org_id, login],
    );
  }

  async note(
    org_id: string,
    values: Partial<Pick<GithubCredential, 'login' | 'last_error' | 'last_checked_at'>>,
  ): Promise<void> {
    // When they were saved is what `updated_at` says.
    await this.db
      .getRepository(GithubCredential)
      .update({ org_id }, { ...values, updated_at: () => 'updated_at' });
  }

  private unseal({ org_id, secret }: GithubCredential): string {
    try {
      return this.box.open(secret, secretPurpose(org_id));
    } catch {
      throw new GithubError('unauthorized', 'The stored credentials cannot be read: save them anew');
    }
  }
}
