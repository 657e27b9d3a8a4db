import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { DataSource, type EntityManager } from 'typeorm';
import { WRITE_BACKS_CHANNEL } from '../../../database/channels.js';
import { DomainError, validationFailed } from '../../../errors/domain-error.js';
import { DELETED, type Deleted } from '../../../http/deleted.js';
import { OutboundError } from '../../../http-client/outbound-error.js';
import { OutboundHttp } from '../../../http-client/outbound-http.js';
import { SecretBox } from '../../../secrets/secret-box.js';
import { type Identity } from '../../auth/identity.js';
import { assertMayAdminister, assertNotAgent, assertReaches } from '../../auth/permissions.js';
import { secretPurpose } from './credential-store.js';
import { GithubCredential } from './github-credential.entity.js';
import { type GithubCredentialsDto, type PutGithubCredentialsDto } from './github-credentials.dto.js';
import { parseCredentials } from './parse-credentials.js';

/** Credentials as their organization manages them. What is secret goes in and never comes out. */
@Injectable()
export class GithubCredentials {
  constructor(
    private readonly db: DataSource,
    private readonly box: SecretBox,
    private readonly outbound: OutboundHttp,
  ) {}

  /** Replaces what was there. What waited for credentials, or had failed with the old ones, is due again. */
  async put(
    identity: Identity,
    org_id: string,
    given: PutGithubCredentialsDto,
  ): Promise<GithubCredentialsDto> {
    assertMayAdminister(identity, org_id);
    const parsed = parseCredentials(given);
    if (Array.isArray(parsed)) throw validationFailed(parsed);
    await this.assertCallable(parsed.base_url);
    const { plain, ...columns } = parsed;
    await this.db.transaction(async (manager) => {
      await manager
        .createQueryBuilder()
        .insert()
        .into(GithubCredential)
        .values({
          org_id,
          revision: randomUUID(),
          secret: this.box.seal(plain, secretPurpose(org_id)),
          ...columns,
        })
        .orUpdate(['revision', 'kind', 'secret', 'hint', 'app_id', 'installation_id', 'base_url'], ['org_id'])
        .execute();
      await manager.query(
        `UPDATE github_credentials SET login = NULL, last_checked_at = NULL,
           last_error = NULL, paused_until = NULL, updated_at = now() WHERE org_id = $1`,
        [org_id],
      );
      await makeDue(manager, org_id);
    });
    return this.get(identity, org_id);
  }

  async get(identity: Identity, org_id: string): Promise<GithubCredentialsDto> {
    assertReaches(identity, org_id);
    assertNotAgent(identity);
    const row = await this.db.getRepository(GithubCredential).findOneBy({ org_id });
    if (row === null) throw notFound();
    const { secret: _, revision: __, paused_until, ...shown } = row;
    const isPaused = paused_until !== null && paused_until.getTime() > Date.now();
    return { ...shown, paused_until: isPaused ? paused_until : null };
  }

  async delete(identity: Identity, org_id: string): Promise<Deleted> {
    assertMayAdminister(identity, org_id);
    await this.db.transaction(async (manager) => {
      const { affected } = await manager.delete(GithubCredential, { org_id });
      if (affected === 0) throw notFound();
      await manager.query(
        `UPDATE github_write_backs SET status = 'waiting', due_at = NULL, updated_at = now()
         WHERE org_id = $1 AND due_at IS NOT NULL`,
        [org_id],
      );
    });
    return DELETED;
  }

  private async assertCallable(base_url: string): Promise<void> {
    try {
      await this.outbound.check(base_url);
    } catch (error) {
      if (error instanceof OutboundError)
        throw validationFailed([{ field: 'base_url', message: error.message }]);
      throw error;
    }
  }
}

/** One more is wanted also of a row that is being worked on: it may yet fail with the old credentials. Locked in one order. */
async function makeDue(manager: EntityManager, org_id: string): Promise<void> {
  await manager.query(
    `UPDATE github_write_backs SET status = 'pending', due_at = now(), failures = 0, wanted = wanted + 1, updated_at = now()
     WHERE task_id IN (SELECT task_id FROM github_write_backs WHERE org_id = $1 AND status <> 'current'
       ORDER BY task_id FOR UPDATE)`,
    [org_id],
  );
  await manager.query('SELECT pg_notify($1, $2)', [WRITE_BACKS_CHANNEL, '']);
}

const notFound = (): DomainError =>
  new DomainError('github_credentials_not_found', 'The organization has no GitHub credentials');
