/** Why a merge did not happen; the task goes back to who worked on it. */
export type MergeFailure =
  'conflict' | 'checks_failed' | 'branch_moved' | 'not_approved' | 'task_moved' | 'git_failed';

/** The branch cannot be merged as it is. The message is for a person and for the agent. */
export class MergeRefused extends Error {
  constructor(
    readonly reason: MergeFailure,
    message: string,
    readonly details: { files?: string[]; checks_output?: string } = {},
  ) {
    super(message);
    this.name = 'MergeRefused';
  }
}

/** Nothing is wrong with the branch: something about the server must be mended first, and then it is tried again. */
export class MergePostponed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MergePostponed';
  }
}

/** Another has the job now, or it was ended: whoever hears this writes nothing more. */
export class MergeNotCurrent extends Error {
  constructor() {
    super('the merge is another’s now');
    this.name = 'MergeNotCurrent';
  }
}
