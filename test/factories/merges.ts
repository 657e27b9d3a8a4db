import { type DataSource } from 'typeorm';
import { type Agent } from '../../src/modules/agents/agent.entity.js';
import { type CodeRepository } from '../../src/modules/repositories/repository.entity.js';
import { Review } from '../../src/modules/reviews/review.entity.js';
import { type Task } from '../../src/modules/tasks/task.entity.js';
import { commitTo } from './repositories.js';
import { makeTask } from './tasks.js';

let count = 0;

/** A person's approval of a commit. */
export const approve = (
  db: DataSource,
  task: Task,
  commit: string,
  values: Partial<Review> = {},
): Promise<Review> =>
  db.getRepository(Review).save({
    org_id: task.org_id,
    team_id: task.team_id,
    task_id: task.id,
    attempt: 1,
    reviewer_type: 'user',
    commit,
    verdict: 'approve',
    requested_by: { type: 'user', id: 'somebody' },
    decided_by: { type: 'user', id: 'somebody' },
    resolved_at: new Date(),
    ...values,
  } as Review);

/** A task whose branch has one commit with these files, approved and waiting to be merged. */
export async function makeApproved(
  db: DataSource,
  repository: CodeRepository,
  files: Record<string, string>,
  values: Partial<Task> & { assignee_id?: Agent['id'] } = {},
): Promise<{ task: Task; head: string }> {
  count += 1;
  const task = await makeTask(
    db,
    { id: repository.team_id, org_id: repository.org_id },
    {
      status: 'in_approval',
      repo_ids: [repository.id],
      branch: `task-${process.pid}-${count}`,
      ...values,
    },
  );
  const head = commitTo(repository.local_path, task.branch, files, `work ${count}`);
  await approve(db, task, head);
  return { task, head };
}
