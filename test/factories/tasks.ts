import { type DataSource } from 'typeorm';
import { newId } from '../../src/database/new-id.js';
import { Task } from '../../src/modules/tasks/task.entity.js';
import { type Team } from '../../src/modules/teams/team.entity.js';

export const makeTask = (
  db: DataSource,
  team: Pick<Team, 'id' | 'org_id'>,
  values: Partial<Task> = {},
): Promise<Task> =>
  db.getRepository(Task).save({
    org_id: team.org_id,
    team_id: team.id,
    title: 'Fix the login',
    branch: 'task-fix-the-login',
    correlation_id: newId(),
    ...values,
  } as Task);
