import { Injectable } from '@nestjs/common';
import { DomainError, validationFailed } from '../../errors/domain-error.js';
import { type Identity } from '../auth/identity.js';
import { type GitRepository } from '../repositories/git.facade.js';
import { parseChangedFiles } from './parse-changed-files.js';
import { TaskRepositories } from './task-repositories.service.js';
import { type ChangedFileDto, type CommitDto, type DiffDto, type FileDto } from './worktrees.dto.js';

const MAX_DIFF = 1_048_576;
const MAX_FILE = 1_048_576;
const MAX_LIST = 4_194_304;
const READ_MS = 30_000;
/** Git looks this far for a byte that text does not have. */
const BINARY_LOOK = 8_000;

const COMMIT_FORMAT = '--format=%H%x00%an%x00%ae%x00%aI%x00%B%x00';

interface Branch {
  git: GitRepository;
  tip: string;
  /** Where it left the default branch; an empty tree's id when the two share nothing. */
  base: string;
}

/** What a task's branch holds that the default branch does not. Read from commits, never from the file system. */
@Injectable()
export class Changes {
  constructor(private readonly found: TaskRepositories) {}

  async diff(identity: Identity, task_id: number, repo_id: string): Promise<DiffDto> {
    const { git, base, tip } = await this.branch(identity, task_id, repo_id);
    const result = await git.onObjects([...DIFF, '--no-color', base, tip, '--'], {
      max_bytes: MAX_DIFF,
      timeout_ms: READ_MS,
    });
    if (result.code !== 0 && !result.truncated)
      throw new DomainError('git_failed', 'The diff could not be made');
    return { diff: asText(result.stdout), truncated: result.truncated };
  }

  async files(identity: Identity, task_id: number, repo_id: string): Promise<ChangedFileDto[]> {
    const { git, base, tip } = await this.branch(identity, task_id, repo_id);
    const args = [...DIFF, '--raw', '--numstat', '-z', base, tip, '--'];
    return parseChangedFiles(asText(await git.read(args, { max_bytes: MAX_LIST, timeout_ms: READ_MS })));
  }

  async file(identity: Identity, task_id: number, repo_id: string, path: string): Promise<FileDto> {
    if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
      throw validationFailed([
        { field: 'path', message: 'path must lead down from the top of the repository' },
      ]);
    const { git, tip } = await this.branch(identity, task_id, repo_id);
    const size = await git.onObjects(['cat-file', '-s', `${tip}:${path}`]);
    const content = await git.onObjects(['cat-file', 'blob', `${tip}:${path}`], { max_bytes: MAX_FILE });
    if (size.code !== 0 || (content.code !== 0 && !content.truncated))
      throw new DomainError('file_not_found', 'There is no such file on the branch of the task');
    const isBinary = content.stdout.subarray(0, BINARY_LOOK).includes(0);
    return {
      path,
      content: isBinary ? content.stdout.toString('base64') : asText(content.stdout),
      encoding: isBinary ? 'base64' : 'utf-8',
      size: Number(size.stdout.toString('latin1')),
      truncated: content.truncated,
    };
  }

  /** Newest first. */
  async commits(identity: Identity, task_id: number, repo_id: string, limit: number): Promise<CommitDto[]> {
    const { git, base, tip } = await this.branch(identity, task_id, repo_id);
    const range = (await git.contains(tip, base)) ? [tip, `^${base}`] : [tip];
    const args = ['log', '-z', '--encoding=UTF-8', `--max-count=${limit}`, COMMIT_FORMAT, ...range, '--'];
    const fields = asText(await git.read(args, { max_bytes: MAX_LIST })).split('\0');
    const commits: CommitDto[] = [];
    // Each commit is five fields, and -z ends it with one more zero byte.
    for (let at = 0; at + 5 < fields.length; at += 6) {
      const [hash = '', author_name = '', author_email = '', date = '', body = ''] = fields.slice(at, at + 5);
      commits.push({ hash, author_name, author_email, message: body.trim(), date });
    }
    return commits;
  }

  private async branch(identity: Identity, task_id: number, repo_id: string): Promise<Branch> {
    const { task, git } = await this.found.toRead(identity, task_id, repo_id);
    const tip = await git.tipOf(task.branch);
    if (tip === null)
      throw new DomainError(
        'branch_not_found',
        'The task has no branch in this repository yet: making its worktree makes it',
      );
    const main = await git.tipOf(git.default_branch);
    const base = main === null ? null : await git.mergeBase(main, tip);
    return { git, tip, base: base ?? EMPTY_TREE };
  }
}

const DIFF = ['diff', '--no-ext-diff', '--no-textconv', '--find-renames'];
const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** Whole characters that JSON and PostgreSQL take, whatever the bytes are. */
const asText = (bytes: Buffer): string => bytes.toString('utf8');
