import { type EntityManager } from 'typeorm';
import { validationFailed } from '../../../errors/domain-error.js';
import { type Team } from '../../teams/team.entity.js';

interface References {
  /** Dotted path of the task in the body: `tasks.0.`, or nothing. */
  path: string;
  assignee_id?: string | null;
  dri_id?: string | null;
  repo_ids?: string[] | null;
}

const FIND = `
  SELECT id::text, 'agent' AS kind FROM agents WHERE team_id = $1 AND id = ANY($3::uuid[])
  UNION ALL SELECT user_id::text, 'user' FROM memberships WHERE org_id = $2 AND user_id = ANY($3::uuid[])
  UNION ALL SELECT id::text, 'repo' FROM repositories WHERE team_id = $1 AND id = ANY($3::uuid[])`;

/**
 * Who and what a task names must be of its team; who answers for it may also be a member of the organization.
 * @throws DomainError `validation_failed` with an entry for each that is not.
 */
export async function assertReferences(
  manager: EntityManager,
  team: Pick<Team, 'id' | 'org_id'>,
  tasks: References[],
): Promise<void> {
  const ids = tasks.flatMap(({ assignee_id, dri_id, repo_ids }) =>
    [assignee_id, dri_id, ...(repo_ids ?? [])].filter((id) => typeof id === 'string'),
  );
  if (ids.length === 0) return;
  const rows = await manager.query<{ id: string; kind: string }[]>(FIND, [team.id, team.org_id, ids]);
  const known = new Set(rows.map(({ id, kind }) => `${kind} ${id}`));
  const is = (kind: string, id: string): boolean => known.has(`${kind} ${id.toLowerCase()}`);
  const errors = tasks.flatMap(({ path, assignee_id, dri_id, repo_ids }) => [
    ...(assignee_id && !is('agent', assignee_id)
      ? [{ field: `${path}assignee_id`, message: 'assignee_id must be an agent of the team' }]
      : []),
    ...(dri_id && !is('agent', dri_id) && !is('user', dri_id)
      ? [{ field: `${path}dri_id`, message: 'dri_id must be an agent of the team or a member' }]
      : []),
    ...((repo_ids ?? []).every((id) => is('repo', id))
      ? []
      : [{ field: `${path}repo_ids`, message: 'repo_ids must be repositories of the team' }]),
  ]);
  if (errors.length > 0) throw validationFailed(errors);
}
