import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DomainError } from '../../../errors/domain-error.js';
import { type Identity } from '../../auth/identity.js';
import { type NewTaskEvent, recordEvent } from '../record-event.js';
import { replaceDependencies } from '../task-dependencies.js';
import { taskDtos } from '../task-views.js';
import { assertMovable, changeParent } from '../subtasks/task-parents.js';
import { lockToLink, lockToMove } from '../task-locks.js';
import { endsWithNewAttempt } from '../task-states.js';
import { lockTask, TaskTransitions } from '../task-transitions.js';
import { type Task } from '../task.entity.js';
import {
  type ChangeStatusDto,
  type SetDependenciesDto,
  type TaskDto,
  type UpdateTaskDto,
} from '../tasks.dto.js';
import { Tasks } from '../tasks.service.js';
import { assertReferences } from './task-references.js';

const UPDATABLE = ['title', 'description', 'priority', 'tags'] as const;

const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

type Work = (manager: EntityManager, task: Task) => Promise<void>;
/** Taken before the task's row: see task-locks.ts. */
type Lock = (manager: EntityManager, task: Task) => Promise<void>;

/** Changes of one task by hand: each locks its row, writes its event and answers the task as it is then. */
@Injectable()
export class TaskChanges {
  constructor(
    private readonly db: DataSource,
    private readonly tasks: Tasks,
    private readonly transitions: TaskTransitions,
  ) {}

  update(identity: Identity, id: number, dto: UpdateTaskDto): Promise<TaskDto> {
    const parent_id = dto.parent_id ?? null;
    const links: Lock | undefined =
      parent_id === null
        ? undefined
        : (manager, { team_id }) => lockToLink(manager, team_id, [id, parent_id]);
    const work: Work = async (manager, task) => {
      if (typeof dto.version === 'number' && dto.version !== task.version)
        throw new DomainError(
          'version_conflict',
          `The task is at version ${task.version}, not ${dto.version}: read it again`,
        );
      const { priority, parent_id: parent } = task;
      const fields: string[] = UPDATABLE.filter((field) => {
        const value = dto[field];
        if (value === undefined || value === null || isEqual(value, task[field])) return false;
        Object.assign(task, { [field]: value });
        return true;
      });
      if (parent_id !== null && parent_id !== parent) {
        await changeParent(manager, identity, task, parent_id);
        fields.push('parent_id');
      }
      if (fields.length === 0) return;
      await manager.save(task);
      const data = {
        fields,
        ...(task.priority === priority ? {} : { priority: { from: priority, to: task.priority } }),
        ...(task.parent_id === parent ? {} : { parent_id: { from: parent, to: task.parent_id } }),
      };
      await this.record(manager, identity, task, { type: 'task.updated', data });
      if (parent !== null && parent !== task.parent_id) await this.transitions.settleParent(manager, parent);
    };
    return this.change(identity, id, work, links);
  }

  /** Takes a sub-task out of its parent: a task of its own again. Without a parent there is nothing to do. */
  async detach(identity: Identity, id: number): Promise<void> {
    const links: Lock = (manager, { team_id }) => lockToLink(manager, team_id, [id]);
    const work: Work = async (manager, task) => {
      const { parent_id: parent } = task;
      if (parent === null) return;
      assertMovable(task);
      await manager.save(Object.assign(task, { parent_id: null }));
      const data = { fields: ['parent_id'], parent_id: { from: parent, to: null } };
      await this.record(manager, identity, task, { type: 'task.updated', data });
      await this.transitions.settleParent(manager, parent);
    };
    await this.change(identity, id, work, links);
  }

  changeStatus(identity: Identity, id: number, dto: ChangeStatusDto): Promise<TaskDto> {
    const moves: Lock = (manager) => lockToMove(manager, [id], dto.status === 'cancelled');
    const work: Work = async (manager, task) => {
      const changed = await this.transitions.transition(manager, {
        task_id: id,
        to: dto.status,
        actor: identity.actor,
        ...(dto.reason ? { reason: dto.reason } : {}),
        ...(dto.actor_id ? { claimed: { actor_id: dto.actor_id } } : {}),
      });
      Object.assign(task, changed);
    };
    return this.change(identity, id, work, moves);
  }

  archive(identity: Identity, id: number, actor_id: string | undefined): Promise<TaskDto> {
    const work: Work = async (manager, task) => {
      if (task.status !== 'done' && task.status !== 'cancelled')
        throw new DomainError(
          'task_not_archivable',
          `Only done or cancelled tasks can be archived; this one is '${task.status}'`,
        );
      const changed = await this.transitions.transition(manager, {
        task_id: id,
        to: 'archived',
        actor: identity.actor,
        ...(actor_id ? { claimed: { actor_id } } : {}),
      });
      Object.assign(task, changed);
    };
    return this.change(identity, id, work, (manager) => lockToMove(manager, [id], false));
  }

  /** Gives the task to an agent of its team; one that waits is tried again from the start. */
  assign(identity: Identity, id: number, assignee_id: string): Promise<TaskDto> {
    return this.change(identity, id, async (manager, task) => {
      await assertReferences(manager, { id: task.team_id, org_id: task.org_id }, [{ assignee_id, path: '' }]);
      const from = task.assignee_id;
      task.assignee_id = assignee_id.toLowerCase();
      if (task.status === 'todo') Object.assign(task, { failed_runs: 0, dispatch_after: null });
      if (endsWithNewAttempt(task.hold_reason)) task.hold_reason = null;
      await manager.save(task);
      await this.record(manager, identity, task, {
        type: 'task.assigned',
        data: { from, assignee_id: task.assignee_id },
      });
    });
  }

  /** Lets a held task be dispatched. For people and the organization's keys: an agent must not free its own work. */
  release(identity: Identity, id: number): Promise<TaskDto> {
    if (identity.agent_id !== undefined)
      throw new DomainError('forbidden', "An agent's key cannot release a task");
    return this.change(identity, id, async (manager, task) => {
      const { hold_reason } = task;
      if (hold_reason === null) throw new DomainError('task_not_held', 'The task is not held');
      Object.assign(task, { hold_reason: null, failed_runs: 0, dispatch_after: null });
      await manager.save(task);
      await this.record(manager, identity, task, { type: 'task.released', data: { hold_reason } });
    });
  }

  setDependencies(identity: Identity, id: number, dto: SetDependenciesDto): Promise<TaskDto> {
    const work: Work = async (manager, task) => {
      const { on_cancel: from } = task;
      const depends_on = [...new Set(dto.depends_on)];
      await replaceDependencies(manager, task, depends_on, dto.on_cancel ?? from);
      // The set of dependencies has no column of its own: the version says that the task changed.
      task.updated_at = new Date();
      await manager.save(task);
      const { on_cancel } = task;
      const data = { depends_on, ...(on_cancel === from ? {} : { on_cancel: { from, to: on_cancel } }) };
      await this.record(manager, identity, task, { type: 'task.dependencies_changed', data });
    };
    return this.change(identity, id, work, (manager, { team_id }) => lockToLink(manager, team_id, [id]));
  }

  private async change(identity: Identity, id: number, work: Work, lock?: Lock): Promise<TaskDto> {
    const found = await this.tasks.getReachable(identity, id);
    return this.db.transaction(async (manager) => {
      await lock?.(manager, found);
      const task = await lockTask(manager, id);
      await work(manager, task);
      const [dto] = await taskDtos(manager, [task]);
      if (dto === undefined) throw new Error('the task is gone');
      return dto;
    });
  }

  private record(
    manager: EntityManager,
    identity: Identity,
    task: Task,
    event: Pick<NewTaskEvent, 'type' | 'data'>,
  ): Promise<void> {
    return recordEvent(manager, {
      ...event,
      org_id: task.org_id,
      task_id: task.id,
      actor: identity.actor,
      correlation_id: task.correlation_id,
    });
  }
}
