import { type Identity } from '../../auth/identity.js';
import { type NewTask } from '../insert-tasks.js';
import { eventMetadata } from '../record-event.js';
import { newCorrelationId } from '../request-trail.js';
import { type Task } from '../task.entity.js';

type Asked = Pick<NewTask, 'title'> & {
  [Field in keyof Omit<NewTask, 'title'>]?: NewTask[Field] | null;
};

/** A task as a caller asks for it, with what is not said filled in. A part of another task goes on under its trail. */
export function newTask(
  { actor }: Identity,
  team: { id: string; org_id: string },
  asked: Asked,
  parent: Task | null = null,
): NewTask {
  const assignee_id = asked.assignee_id?.toLowerCase() ?? null;
  const priority = asked.priority ?? 'medium';
  const correlation_id = parent?.correlation_id ?? newCorrelationId();
  const metadata = eventMetadata({ actor, correlation_id });
  const parent_id = parent?.id ?? null;
  return {
    org_id: team.org_id,
    team_id: team.id,
    title: asked.title,
    description: asked.description ?? '',
    status: 'todo',
    priority,
    dri_id: asked.dri_id ?? null,
    assignee_id,
    auto_assign: asked.auto_assign ?? false,
    auto_assign_role: asked.auto_assign_role ?? null,
    hold_reason: null,
    repo_ids: asked.repo_ids ?? [],
    tags: asked.tags ?? [],
    correlation_id,
    parent_id,
    on_cancel: asked.on_cancel ?? 'block',
    events: [
      {
        type: 'task.created',
        data: { status: 'todo', priority, ...(parent_id === null ? {} : { parent_id }) },
        metadata,
      },
      ...(assignee_id === null
        ? []
        : [{ type: 'task.assigned', data: { from: null, assignee_id }, metadata }]),
    ],
  };
}
