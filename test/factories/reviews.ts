import { type DataSource } from 'typeorm';
import { type Task } from '../../src/modules/tasks/task.entity.js';
import { type TestService } from '../support/service.js';
import { makeAgent, makeApiKey, makeMembership, makeOrganization, makeTeam, makeUser } from './accounts.js';
import { makeTask } from './tasks.js';
import { asUser, withKey } from '../support/login.js';

/** A team with an engineer who did the work, a reviewer, a person, and their credentials. */
export async function makeReviewTeam(db: DataSource) {
  const org = await makeOrganization(db);
  const team = await makeTeam(db, org.id);
  const engineer = await makeAgent(db, team, { name: 'grace', runtime: 'pull' });
  const reviewer = await makeAgent(db, team, { name: 'margaret', role: 'reviewer' });
  const person = await makeUser(db, { name: 'Ada' });
  await makeMembership(db, org.id, person.id, 'owner');
  const keyOf = async (agent_id?: string): Promise<Record<string, string>> =>
    withKey((await makeApiKey(db, org.id, agent_id ? ['agent'] : ['all'], agent_id ? { agent_id } : {})).key);
  return {
    org,
    team,
    engineer,
    reviewer,
    person,
    as: {
      person: asUser(person),
      key: await keyOf(),
      engineer: await keyOf(engineer.id),
      reviewer: await keyOf(reviewer.id),
    },
    task: (values: Partial<Task> = {}): Promise<Task> =>
      makeTask(db, team, { status: 'in_review', assignee_id: engineer.id, ...values }),
  };
}

export type ReviewTeam = Awaited<ReturnType<typeof makeReviewTeam>>;

/** A call of the API as one of the team. */
export const caller =
  (service: TestService) =>
  (method: 'get' | 'post' | 'patch', path: string, as: Record<string, string>, body?: object) =>
    service.http[method](`/api/v1${path}`).set(as).send(body);
