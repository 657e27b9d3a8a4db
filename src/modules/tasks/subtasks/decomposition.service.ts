import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import { DomainError } from '../../../errors/domain-error.js';
import { type Identity } from '../../auth/identity.js';
import { newTask } from '../changes/new-task.js';
import { assertReferences } from '../changes/task-references.js';
import { insertTasks } from '../insert-tasks.js';
import { recordEvent } from '../record-event.js';
import { assertDependable, assertDependableBelow, insertDependencies } from '../task-dependencies.js';
import { lockToLink } from '../task-locks.js';
import { lockTask, runnerOf } from '../task-transitions.js';
import { taskDtos } from '../task-views.js';
import { Task } from '../task.entity.js';
import { type TaskDto } from '../tasks.dto.js';
import { Tasks } from '../tasks.service.js';
import { assignSubtasks } from './assign-subtasks.js';
import { assertPlan, indicesOf, planHash } from './read-plan.js';
import { type SubtaskDto } from './subtasks.dto.js';
import { TaskDecomposition } from './task-decomposition.entity.js';
import { assertDepth, assertMayDivide, assertTakesSubtasks, touchParent } from './task-parents.js';
import { withAncestors } from './task-tree.js';

/** Divides a task: all of its sub-tasks are made, or none. */
@Injectable()
export class Decomposition {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
  ) {}

  /**
   * @param key asked again under it, the same sub-tasks are given back, as they are by then.
   * @throws DomainError `task_not_found`, `forbidden`, `validation_failed`, `dependency_cycle`, `dependency_invalid`,
   * `dependencies_not_found`, `idempotency_conflict`, `task_takes_no_subtasks`, `parent_too_deep`.
   */
  async decompose(
    identity: Identity,
    task_id: number,
    subtasks: SubtaskDto[],
    key: string | null,
  ): Promise<TaskDto[]> {
    const { team_id } = await this.tasks.getReachable(identity, task_id);
    assertPlan(subtasks);
    return this.db.transaction(async (manager) => {
      await lockToLink(manager, team_id, [task_id]);
      const parent = await lockTask(manager, task_id);
      await assertMayDivide(manager, identity, parent);
      const hash = planHash(subtasks);
      const earlier = key === null ? null : await made(manager, task_id, key, hash);
      const ids = earlier ?? (await this.make(manager, identity, parent, subtasks));
      if (key !== null && earlier === null)
        await manager.insert(TaskDecomposition, { task_id, key, body_sha256: hash, task_ids: ids });
      const found = new Map((await manager.findBy(Task, { id: In(ids) })).map((task) => [task.id, task]));
      return taskDtos(
        manager,
        ids.flatMap((id) => found.get(id) ?? []),
      );
    });
  }

  private async make(
    manager: EntityManager,
    identity: Identity,
    parent: Task,
    subtasks: SubtaskDto[],
  ): Promise<number[]> {
    assertTakesSubtasks(parent);
    assertDepth(await withAncestors(manager, parent.id), 0);
    const team = { id: parent.team_id, org_id: parent.org_id };
    const assignments = await assignSubtasks(manager, team.id, subtasks);
    await assertReferences(
      manager,
      team,
      subtasks.map((subtask, place) => ({ ...subtask, path: `subtasks.${place}.` })),
    );
    for (const { depends_on, on_cancel } of subtasks)
      if (depends_on?.length) await assertDependable(manager, team, depends_on, on_cancel ?? 'block');
    await assertDependableBelow(
      manager,
      parent.id,
      subtasks.flatMap(({ depends_on }) => depends_on ?? []),
    );
    const ids = await insertTasks(
      runnerOf(manager),
      subtasks.map((subtask, place) =>
        newTask(
          identity,
          team,
          {
            ...subtask,
            ...assignments[place],
            priority: subtask.priority ?? parent.priority,
            repo_ids: subtask.repo_ids ?? parent.repo_ids,
          },
          parent,
        ),
      ),
    );
    await insertDependencies(
      manager,
      ids.map((task_id, place) => ({ task_id, depends_on: dependenciesOf(subtasks[place], ids) })),
    );
    await touchParent(manager, parent);
    await recordEvent(manager, {
      org_id: parent.org_id,
      task_id: parent.id,
      type: 'task.decomposed',
      data: { subtask_ids: ids },
      actor: identity.actor,
      correlation_id: parent.correlation_id,
    });
    return ids;
  }
}

function dependenciesOf(subtask: SubtaskDto | undefined, ids: number[]): number[] {
  if (subtask === undefined) return [];
  const siblings = indicesOf(subtask).flatMap((index) => ids[index] ?? []);
  return [...new Set([...siblings, ...(subtask.depends_on ?? [])])];
}

/** What was made under the key before; null when nothing was. */
async function made(
  manager: EntityManager,
  task_id: number,
  key: string,
  hash: Buffer,
): Promise<number[] | null> {
  const earlier = await manager.findOneBy(TaskDecomposition, { task_id, key });
  if (earlier !== null && !earlier.body_sha256.equals(hash))
    throw new DomainError(
      'idempotency_conflict',
      'This idempotency key was used for other sub-tasks of the task: use a new one',
    );
  return earlier?.task_ids ?? null;
}
