import { type EntityManager, In } from 'typeorm';
import { Agent } from '../../agents/agent.entity.js';
import { validationFailed } from '../../../errors/domain-error.js';
import { type SubtaskDto } from './subtasks.dto.js';

interface Assignment {
  assignee_id: string | null;
  auto_assign: boolean;
  auto_assign_role: string | null;
}

/**
 * Who is to do each of the sub-tasks: the named agent, whoever has the role, or nobody yet.
 * @throws DomainError `validation_failed` with an entry for each name that no agent of the team has.
 */
export async function assignSubtasks(
  manager: EntityManager,
  team_id: string,
  subtasks: SubtaskDto[],
): Promise<Assignment[]> {
  const names = subtasks.flatMap(({ agent }) => agent ?? []);
  const agents =
    names.length === 0
      ? []
      : await manager.find(Agent, { where: { team_id, name: In(names) }, select: { id: true, name: true } });
  const idOf = new Map(agents.map(({ name, id }) => [name, id]));
  const errors = subtasks.flatMap(({ agent }, place) =>
    !agent || idOf.has(agent)
      ? []
      : [{ field: `subtasks.${place}.agent`, message: 'agent must be the name of an agent of the team' }],
  );
  if (errors.length > 0) throw validationFailed(errors);
  return subtasks.map(({ agent, assignee_id, role }) => ({
    assignee_id: (agent ? idOf.get(agent) : assignee_id) ?? null,
    auto_assign: Boolean(role),
    auto_assign_role: role ?? null,
  }));
}
