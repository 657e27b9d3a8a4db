import { Injectable } from '@nestjs/common';
import { commandEnvironment, Commands } from '../../config/commands.js';
import { ResolvedSettings } from '../../config/settings.js';
import { GuardedProgram } from '../dispatch/programs.facade.js';
import { type CodeRepository } from '../repositories/repository.entity.js';
import { type ClaimedMerge } from './claim-merge.js';
import { MergePostponed, MergeRefused } from './merge-outcome.js';

const GRACE_MS = 5_000;

export interface CheckedMerge {
  job: ClaimedMerge;
  repository: CodeRepository;
  branch: string;
  /** What is checked, and where it lies. */
  commit: string;
  directory: string;
  signal: AbortSignal;
}

/** Runs the program that a repository names for its checks: one of the operator's list, as agents' programs are. */
@Injectable()
export class RunChecks {
  constructor(
    private readonly commands: Commands,
    private readonly settings: ResolvedSettings,
  ) {}

  /**
   * @returns what it printed; null when the repository names no checks.
   * @throws MergeRefused when it did not succeed, MergePostponed when it is not in the list.
   */
  async run(merge: CheckedMerge): Promise<string | null> {
    const name = merge.repository.config['checks'];
    if (name === undefined || name === null) return null;
    const command = typeof name === 'string' ? this.commands.get(name) : undefined;
    if (command === undefined)
      throw new MergePostponed(
        `The repository's config.checks names ${JSON.stringify(name)}, which is not in the list of ENTOURAGE_COMMANDS_FILE`,
      );
    const { job, directory, signal } = merge;
    const lease_ms = this.settings.ENTOURAGE_RUN_LEASE_SECONDS * 900;
    const program = new GuardedProgram({
      order: 'start',
      run_id: markOf(job.id, job.attempts),
      earlier_run_ids: Array.from({ length: job.attempts - 1 }, (_, n) => markOf(job.id, n + 1)),
      argv: command.argv,
      env: { ...commandEnvironment(command), ...variables(merge) },
      cwd: directory,
      prompt: '',
      lease_ms,
      grace_ms: GRACE_MS,
    });
    const kill = (): void => program.kill();
    let isLate = false;
    const timeout = setTimeout(() => {
      isLate = true;
      program.stop();
    }, command.timeout_seconds * 1000);
    // A process that hangs renews nothing, and the guard ends the program before another merger begins.
    const renewing = setInterval(() => program.renewed(lease_ms), lease_ms / 3);
    signal.addEventListener('abort', kill);
    if (signal.aborted) kill();
    const end = await program.ended;
    clearTimeout(timeout);
    clearInterval(renewing);
    signal.removeEventListener('abort', kill);
    signal.throwIfAborted();
    const checks_output = end.output ?? '';
    if (isLate)
      throw refused(
        `The checks were stopped: they took longer than ${command.timeout_seconds} s`,
        checks_output,
      );
    if (end.status === 'failed')
      throw refused(`The checks failed: ${end.error ?? 'no reason given'}`, checks_output);
    return checks_output;
  }
}

const refused = (message: string, checks_output: string): MergeRefused =>
  new MergeRefused('checks_failed', message, { checks_output });

/** By this the guard finds what an earlier attempt may have left running. */
const markOf = (job_id: number, attempt: number): string => `merge-${job_id}-${attempt}`;

const variables = ({ job, branch, commit }: CheckedMerge): Record<string, string> => ({
  ENTOURAGE_RUN_ID: markOf(job.id, job.attempts),
  ENTOURAGE_MERGE_JOB_ID: String(job.id),
  ENTOURAGE_TASK_ID: String(job.task_id),
  ENTOURAGE_TEAM_ID: job.team_id,
  ENTOURAGE_BRANCH: branch,
  ENTOURAGE_COMMIT: commit,
});
