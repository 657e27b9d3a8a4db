import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { lstat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Not, Repository } from 'typeorm';
import { DomainError } from '../../errors/domain-error.js';
import { BlankGitDirectory } from './blank-git-directory.js';
import { GitRepository } from './git-repository.js';
import { RepositoryPaths } from './repository-paths.js';
import { CodeRepository } from './repository.entity.js';

/** Registered repositories, to work with. */
@Injectable()
export class GitRepositories {
  constructor(
    @InjectRepository(CodeRepository) private readonly repositories: Repository<CodeRepository>,
    private readonly paths: RepositoryPaths,
    private readonly blank: BlankGitDirectory,
  ) {}

  /**
   * Checks again what was checked at registration: a link may have come into the path since.
   * @throws DomainError `repository_unavailable`
   */
  async open({
    local_path,
    default_branch,
  }: Pick<CodeRepository, 'local_path' | 'default_branch'>): Promise<GitRepository> {
    const isThere =
      (await this.paths.root()) !== null && (await this.paths.resolve(local_path)) === local_path;
    // A file `.git` leads to a directory that may lie anywhere.
    const git = isThere ? await lstat(join(local_path, '.git')).catch(() => null) : null;
    if (!git?.isDirectory())
      throw new DomainError(
        'repository_unavailable',
        'The repository is not at its place under ENTOURAGE_REPOS_DIR, or is no whole repository there',
      );
    assertBranchName(default_branch);
    return new GitRepository(local_path, default_branch, await this.blank.path());
  }

  /**
   * The real path of a repository on this disk that may be pushed to: under the directory for repositories, and in none
   * that another organization has registered. Else null.
   */
  async localRemote(given: string, org_id: string): Promise<string | null> {
    if ((await this.paths.root()) === null) return null;
    const path = await this.paths.resolve(given);
    if (path === null) return null;
    const others = await this.repositories.find({
      where: { org_id: Not(org_id) },
      select: { id: true, local_path: true },
    });
    return others.some((other) => `${path}${sep}`.startsWith(`${other.local_path}${sep}`)) ? null : path;
  }
}

/**
 * Narrower than git's own rule: a name that is no option, leaves no directory and holds nothing that a shell, a URL or a
 * refspec reads otherwise.
 * @throws DomainError `branch_name_unusable`
 */
export function assertBranchName(name: string): void {
  const parts = name.split('/');
  const isUsable = parts.every((part) => /^[\p{L}\p{N}_][\p{L}\p{N}._+#-]*$/u.test(part) && isGits(part));
  if (name.length > 200 || !isUsable || name === 'HEAD')
    throw new DomainError('branch_name_unusable', 'The name of the branch is not one that can be used');
}

const isGits = (part: string): boolean =>
  !part.includes('..') && !part.endsWith('.') && !part.endsWith('.lock') && part.isWellFormed();
