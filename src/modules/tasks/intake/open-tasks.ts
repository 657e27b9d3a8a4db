import { type QueryRunner } from 'typeorm';
import { insertTasks, type NewTask } from '../insert-tasks.js';
import { eventMetadata } from '../record-event.js';
import { type SourceChange, type SourceOutcome } from '../source-change.js';
import { type TaskSource } from '../task-source.entity.js';
import { assignAgents, type Assignment } from './assign-agents.js';
import { senderOf } from './sender.js';
import { itemName } from './source-text.js';

/** A task to be made of a source, and the outcome to complete when it is there. */
export interface Opening {
  change: SourceChange;
  source: TaskSource;
  task: Pick<NewTask, 'title' | 'description' | 'status' | 'priority' | 'hold_reason' | 'tags'>;
  outcome: SourceOutcome;
}

/** Makes all tasks at once: one statement finds idle agents, one writes tasks, events and links. */
export async function openTasks(runner: QueryRunner, openings: Opening[]): Promise<void> {
  const assignments = await assignAgents(
    runner,
    openings.map((opening) =>
      whyUnassigned(opening) === null
        ? { team_id: opening.change.team_id, role: opening.change.policy.auto_assign_role }
        : null,
    ),
  );
  const rows = openings.map((opening, place) => {
    const { change, task } = opening;
    const assignment = assignments[place] ?? none(whyUnassigned(opening) ?? '');
    opening.outcome.assignment = assignment;
    return {
      ...task,
      org_id: change.org_id,
      team_id: change.team_id,
      dri_id: null,
      assignee_id: assignment.agent_id,
      auto_assign: change.policy.auto_assign,
      auto_assign_role: change.policy.auto_assign_role,
      repo_ids: [],
      correlation_id: change.correlation_id,
      source: { key: change.item.key, webhook_id: change.webhook_id, kind: change.item.kind },
      events: firstEvents(opening, assignment),
    };
  });
  const ids = await insertTasks(runner, rows);
  openings.forEach(({ change, source, outcome }, place) => {
    const id = ids[place] ?? null;
    source.task_id = id;
    outcome.task_id = id;
    outcome.actions = [
      `created task #${id} from ${itemName(change.item.kind, change.item.number)}`,
      ...(outcome.assignment?.agent_name ? [`auto-assigned to ${outcome.assignment.agent_name}`] : []),
    ];
  });
}

/** An agent that is given a task that may not start would count as taken for nothing. */
function whyUnassigned({ change, task }: Opening): string | null {
  if (!change.policy.auto_assign) return 'auto_assign is off';
  if (task.status !== 'todo') return 'the task is cancelled already';
  if (task.hold_reason !== null) return `the task is held: ${task.hold_reason}`;
  return null;
}

const none = (reason: string): Assignment => ({ agent_id: null, agent_name: null, reason });

function firstEvents({ change, task }: Opening, assignment: Assignment): NewTask['events'] {
  const { key, kind, number, repository, url } = change.item;
  const metadata = eventMetadata({
    actor: senderOf(change),
    correlation_id: change.correlation_id,
    delivery_id: change.delivery_id,
  });
  const { status, priority, hold_reason } = task;
  return [
    {
      type: 'task.created',
      data: { status, priority, hold_reason, source: { key, kind, number, repository, url } },
      metadata,
    },
    ...(assignment.agent_id === null
      ? []
      : [
          {
            type: 'task.assigned',
            data: { from: null, assignee_id: assignment.agent_id, reason: assignment.reason },
            metadata,
          },
        ]),
  ];
}
