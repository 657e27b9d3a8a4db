import { Injectable } from '@nestjs/common';
import { realpath } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import { ResolvedSettings } from '../../config/settings.js';
import { DomainError } from '../../errors/domain-error.js';

/** The one directory that repositories may lie in. */
@Injectable()
export class RepositoryPaths {
  constructor(private readonly settings: ResolvedSettings) {}

  /** Its real path; null when the operator has named none, or one that is not there. */
  async root(): Promise<string | null> {
    const directory = this.settings.ENTOURAGE_REPOS_DIR;
    return directory === undefined ? null : realpath(directory).catch(() => null);
  }

  /**
   * The real path that `given` leads to through every link, if it lies under the directory; else null. A relative
   * path starts there.
   * @throws DomainError `validation_failed` when there is no such directory.
   */
  async resolve(given: string): Promise<string | null> {
    const root = await this.root();
    if (root === null) throw notConfigured();
    const path = await realpath(isAbsolute(given) ? given : resolve(root, given)).catch(() => null);
    return path?.startsWith(root.endsWith(sep) ? root : root + sep) ? path : null;
  }
}

const notConfigured = (): DomainError => {
  const message =
    'repositories are switched off: the server has no ENTOURAGE_REPOS_DIR, or it does not exist';
  return new DomainError('validation_failed', `Validation failed: local_path: ${message}`, {
    errors: [{ field: 'local_path', message }],
  });
};
